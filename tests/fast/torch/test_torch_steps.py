"""Steps of truestep.torch: bit for bit those of a Plan on NumPy copies, and close to torch's."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import truestep.torch as ours
from truestep.fast.ours.cpu_plans import Plan
from truestep.torch.optimizer import Optimizer
from truestep.torch.rows import offered
from truestep.torch.stored import Form

SHAPES = [(), (0,), (7,), (64, 80), (80, 3), (3, 5, 2), (300,)]
# Arguments besides the defaults, by class; of those that a switch needs a kernel for, see below.
CASES: dict[str, list[dict[str, Any]]] = {
    "Adafactor": [{"weight_decay": 0.1, "maximize": True}, {"eps": (1e-3, 0.1), "d": 2.0}],
    "AdEMAMix": [{"weight_decay": 0.1}, {"alpha_warmup": 5, "beta3_warmup": 7}],
    "Adagrad": [{"lr_decay": 0.1, "weight_decay": 0.1}, {"initial_accumulator_value": 0.1}],
    "Adam": [{"weight_decay": 0.1}, {"maximize": True, "betas": (0.5, 0.75), "eps": 1e-3}],
    "AdamW": [{"weight_decay": 0.1}, {"maximize": True, "lr": torch.tensor(1e-2)}],
    "LAMB": [{"weight_decay": 0.1}, {"bias_correction": False}],
    "LARS": [{"weight_decay": 0.1}, {"momentum": 0.0, "trust_coefficient": 0.02}],
    "Lion": [{"weight_decay": 0.1}, {"maximize": True}],
    "Muon": [{"nesterov": False, "momentum": 0.5}, {"adjust_lr_fn": "match_rms_adamw"}],
    "RMSprop": [{"momentum": 0.9}, {"centered": True}, {"centered": True, "momentum": 0.5}],
    "SGD": [{}, {"momentum": 0.9, "weight_decay": 0.1}, {"momentum": 0.9, "dampening": 0.5}],
}
WAYS = ["float32", "bfloat16", "8bit", "4bit"]


# Of what these take there are matrices alone.
MATRICES = ("Muon",)
# Where torch iterates in bfloat16, a unit of which is 2^-8: how far a way may stray, as a share of
# its length.
COARSE = {"Muon": 2.0**-6}


def parameters(dtype: Any = torch.float32, name: str = "") -> list[Any]:
    """One of each shape that the class takes, the same at every call."""
    torch.manual_seed(0)
    shapes = [x for x in SHAPES if len(x) == 2] if name in MATRICES else SHAPES
    return [torch.nn.Parameter(torch.randn(shape).to(dtype)) for shape in shapes]


def draw_gradients(params: list[Any], seed: int) -> None:
    """New ones, the same for every list of the same shapes."""
    torch.manual_seed(1000 + seed)
    for p in params:
        p.grad = torch.randn(p.shape).to(p.dtype)


def as_array(x: Any) -> Any:
    """A copy whose bits the kernels read; of bfloat16 the bits."""
    if x.dtype == torch.bfloat16:
        import ml_dtypes

        return x.detach().view(torch.int16).numpy().copy().view(ml_dtypes.bfloat16)
    return x.detach().numpy().copy()


class InNumpy:
    """The same steps by a Plan over NumPy arrays, one for each tensor."""

    def __init__(self, optimizer: Optimizer, params: list[Any]) -> None:
        self.group = optimizer.param_groups[0]
        self.row, self.name = optimizer.row, type(optimizer).__name__
        self.kernel, _ = self.row.stepped(self.name, self.group)
        self.params = [as_array(p) for p in params]
        self.forms = [self.row.forms(self.kernel, self.group, p.numel()) for p in params]
        self.states = [
            {key: as_array(x) for form in forms for key, x in self._fresh(form, p).items()}
            for forms, p in zip(self.forms, params, strict=True)
        ]

    def _fresh(self, form: Form, p: Any) -> dict[str, Any]:
        starts = self.row.of(self.kernel).start
        start = float(self.group[starts[form.name]]) if form.name in starts else 0.0
        return form.encoded(torch.full(p.shape, start))

    def step(self, t: int, grads: list[Any]) -> None:
        _, hyper = self.row.stepped(self.name, self.group)
        for p, g, forms, state in zip(self.params, grads, self.forms, self.states, strict=True):
            named = {name: [state[key]] for form in forms for name, key in form.keys.items()}
            named = {
                name: [x.view(np.uint16) if x.dtype.name == "bfloat16" else x for x in tensors]
                for name, tensors in named.items()
            }
            kept = {form.name: form.kept for form in forms if form.kept is not None}
            Plan(self.kernel.rule, [p], [as_array(g)], named, kept=kept).step(hyper, t)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", sorted(x for x, y in ours.OPTIMIZERS.items() if issubclass(y, Optimizer))
)
def test_steps_are_those_of_a_plan(name: str, way: str, dtype: Any) -> None:
    """Parameters and states, after five steps, in every way of keeping the state."""
    for arguments in CASES[name]:
        params = parameters(dtype)
        optimizer = ours.OPTIMIZERS[name](params, state=way, min_8bit_size=256, **arguments)
        expected = InNumpy(optimizer, params)
        for t in range(1, 6):
            draw_gradients(params, t)
            optimizer.step()
            expected.step(t, [p.grad for p in params])
        for p, due, state in zip(params, expected.params, expected.states, strict=True):
            assert as_array(p).tobytes() == due.tobytes()
            held = optimizer.state[p]
            assert held.keys() == {*state, "step"} and held["step"] == 5
            for key, x in state.items():
                assert as_array(held[key]).tobytes() == x.tobytes(), key


NAMESAKES = sorted(name for name in ours.OPTIMIZERS if hasattr(torch.optim, name))


@pytest.mark.parametrize("name", NAMESAKES)
def test_steps_are_close_to_torch_s(name: str) -> None:
    """The namesake of torch with the same arguments, over ten steps."""
    for arguments in [{}, *CASES[name]]:
        mine, theirs, start = (parameters(name=name) for _ in range(3))
        if name == "Adafactor":
            # torch's divides by the number of elements.
            mine, theirs, start = ([p for p in x if p.numel()] for x in (mine, theirs, start))
        a = ours.OPTIMIZERS[name](mine, **arguments)
        b = getattr(torch.optim, name)(theirs, **arguments)
        for t in range(10):
            for params, optimizer in ((mine, a), (theirs, b)):
                draw_gradients(params, t)
                optimizer.step()
        for p, q, begin in zip(mine, theirs, start, strict=True):
            if name in COARSE:
                assert (p - q).norm() <= COARSE[name] * (q - begin).norm()
            else:
                torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "rule"), [("Adam", "amsgrad"), ("AdamW", "amsgrad"), ("SGD", "nesterov")]
)
def test_arguments_ask_for_other_rules(name: str, rule: str) -> None:
    """Where there is a kernel it steps as torch does, and where there is none the error says so."""
    if name not in ours.OPTIMIZERS:
        pytest.skip(f"no kernel of {name}")
    arguments = {rule: True, **({"momentum": 0.9} if name == "SGD" else {})}
    mine, theirs = parameters(), parameters()
    if rule not in offered():
        with pytest.raises(ValueError, match=f"must have {rule}=False: there is no kernel of"):
            ours.OPTIMIZERS[name](mine, **arguments)
        return
    a = ours.OPTIMIZERS[name](mine, **arguments)
    b = getattr(torch.optim, name)(theirs, **arguments)
    for t in range(10):
        for params, optimizer in ((mine, a), (theirs, b)):
            draw_gradients(params, t)
            optimizer.step()
    assert a.state_dict()["state"][3].keys() - {"step"} == b.state_dict()["state"][3].keys() - {
        "step"
    }
    for p, q in zip(mine, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_small_tensors_keep_float32_states() -> None:
    """With state="8bit", those of fewer than 4096 elements, or of min_8bit_size."""
    params = parameters()
    draw_gradients(params, 0)
    optimizer = ours.AdamW(params, state="8bit")
    optimizer.step()
    keys = [sorted(optimizer.state[p]) for p in params]
    coded = ["exp_avg_absmax", "exp_avg_code", "exp_avg_sq_absmax", "exp_avg_sq_code", "step"]
    assert keys == [
        coded if p.numel() >= 4096 else ["exp_avg", "exp_avg_sq", "step"] for p in params
    ]
    large = optimizer.state[params[3]]
    assert large["exp_avg_code"].dtype == torch.uint8 and large["exp_avg_absmax"].shape == (20,)


def test_groups_keep_states_in_their_own_way() -> None:
    """state and min_8bit_size are arguments of a group, as others are."""
    a, b = torch.nn.Parameter(torch.ones(5000)), torch.nn.Parameter(torch.ones(5000))
    optimizer = ours.AdamW([{"params": [a]}, {"params": [b], "state": "float32"}], state="8bit")
    a.grad, b.grad = torch.ones(5000), torch.ones(5000)
    optimizer.step()
    assert "exp_avg_code" in optimizer.state[a] and "exp_avg" in optimizer.state[b]


def test_results_do_not_depend_on_the_company() -> None:
    """One optimizer for all tensors steps each as an optimizer of its own does."""
    together, alone = parameters(), parameters()
    whole = ours.AdamW(together)
    each = [ours.AdamW([p]) for p in alone]
    for t in range(3):
        draw_gradients(together, t)
        draw_gradients(alone, t)
        whole.step()
        for optimizer in each:
            optimizer.step()
    assert all(map(torch.equal, together, alone))


def test_a_copied_optimizer_goes_on_alike() -> None:
    """copy.deepcopy of a model and its optimizer together."""
    model = torch.nn.Linear(90, 70)
    optimizer = ours.AdamW(model.parameters(), state="8bit")
    (first := model(torch.ones(3, 90)).sum()).backward()
    optimizer.step()
    other_model, other = copy.deepcopy((model, optimizer))
    for m, o in ((model, optimizer), (other_model, other)):
        o.zero_grad()
        m(torch.ones(3, 90)).sum().backward()
        o.step()
    assert first is not None and torch.equal(model.weight, other_model.weight)
    assert optimizer.state[model.weight]["step"] == other.state[other_model.weight]["step"] == 2
