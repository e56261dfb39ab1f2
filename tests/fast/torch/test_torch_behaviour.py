"""What users of torch.optim expect of an optimizer, and what truestep.torch refuses."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import inspect
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import truestep.torch as ours
from truestep.torch.optimizers import AdamW, Lion


def parameter(*shape: int) -> Any:
    """With a gradient of ones."""
    p = torch.nn.Parameter(torch.ones(shape))
    p.grad = torch.ones(shape)
    return p


def both(make: Any, train: Any) -> None:
    """That train(optimizer, model) leaves the same weights with torch's AdamW and ours."""
    models = []
    for made in (AdamW, torch.optim.AdamW):
        torch.manual_seed(0)
        model = make()
        train(made(model.parameters(), lr=1e-2), model)
        models.append(model)
    for p, q in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def network() -> Any:
    """A small one."""
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))


def loss(model: Any, t: int = 0) -> Any:
    """Of a batch that depends on t."""
    torch.manual_seed(t)
    return model(torch.randn(8, 5)).square().mean()


def test_torch_is_imported_by_nobody_else() -> None:
    """Neither by the package nor by the kernels."""
    code = "import sys, truestep, truestep.fast.ours.cpu; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_class_exists_where_its_kernel_does() -> None:
    """And takes the arguments of its namesake, by place and by name."""
    assert {"AdamW", "LAMB", "Lion", "SGD"} <= ours.OPTIMIZERS.keys() <= set(ours.__all__)
    assert all(getattr(ours, name) is made for name, made in ours.OPTIMIZERS.items())
    for name, made in ours.OPTIMIZERS.items():
        if not hasattr(torch.optim, name):
            continue
        theirs, mine = (inspect.signature(x).parameters for x in (getattr(torch.optim, name), made))
        defaults = {x: p.default for x, p in mine.items()}
        assert {x: p.default for x, p in theirs.items() if x in mine} == {
            x: defaults[x] for x in theirs if x in mine
        }
        assert set(theirs) - set(mine) <= {"decoupled_weight_decay"}


def test_schedulers_change_the_rate() -> None:
    """A rate that is a number, and the momentum that OneCycleLR turns."""

    def train(optimizer: Any, model: Any) -> None:
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
        for t in range(10):
            optimizer.zero_grad()
            loss(model, t).backward()
            optimizer.step()
            scheduler.step()

    both(network, train)


def test_the_rate_may_be_a_tensor() -> None:
    """It is filled in place by schedulers, and read at every step."""
    rate = torch.tensor(0.5)
    p = parameter(3)
    optimizer = ours.SGD([p], lr=rate)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    optimizer.step()
    scheduler.step()
    optimizer.step()
    assert p.tolist() == [0.25] * 3 and optimizer.param_groups[0]["lr"] is rate


def test_closures_are_called_with_gradients() -> None:
    """step(closure) returns the loss."""

    def train(optimizer: Any, model: Any) -> None:
        def closure() -> Any:
            optimizer.zero_grad()
            found = loss(model)
            found.backward()
            return found

        with torch.no_grad():
            losses = [float(optimizer.step(closure).detach()) for _ in range(5)]
        assert losses[-1] < losses[0]

    both(network, train)


def test_groups_have_their_own_arguments() -> None:
    """Also of parameters that are added later, after other steps."""

    def train(optimizer: Any, model: Any) -> None:
        late = optimizer.param_groups[0]["params"].pop()
        for t in range(6):
            if t == 3:
                optimizer.add_param_group({"params": [late], "lr": 0.1, "weight_decay": 0.5})
            optimizer.zero_grad()
            loss(model, t).backward()
            optimizer.step()

    both(network, train)


def test_what_has_no_gradient_is_skipped() -> None:
    """Now one tensor and now the other: each counts its own steps."""
    models = []
    for made in (ours.AdamW, torch.optim.AdamW):
        params = [torch.nn.Parameter(torch.ones(3)) for _ in range(3)]
        optimizer = made(params, lr=0.1)
        for t in range(8):
            for k, p in enumerate(params):
                p.grad = torch.full((3,), 1.0 + t) if t % (k + 2) == 0 else None
            optimizer.step()
        models.append((params, [float(optimizer.state[p]["step"]) for p in params]))
    (mine, counts), (theirs, due) = models
    assert counts == due == [4, 3, 2]
    for p, q in zip(mine, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_without_any_gradient_nothing_happens() -> None:
    """And no state is made."""
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = AdamW([p])
    assert optimizer.step() is None and p.tolist() == [1.0] * 3 and not optimizer.state


def test_grad_scaler_skips_steps_with_infinities() -> None:
    """On the CPU: gradients are unscaled, and an overflow costs the step."""
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = AdamW([p], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(p.sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert float(p.grad[0]) == 1.0 and float(p.detach()[0]) != 1.0
    before = p.detach().clone()
    optimizer.zero_grad()
    scaler.scale((p * float("inf")).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(p, before) and scaler.get_scale() == 2.0


@pytest.mark.parametrize("format", [torch.float32, torch.bfloat16], ids=str)
def test_strided_parameters_and_gradients(format: Any) -> None:
    """Transposed, with gaps, and channels_last: as if they were contiguous."""
    torch.manual_seed(0)
    wide, gradient = torch.randn(6, 4, 5, 3).to(format), torch.randn(6, 4, 5, 3).to(format)
    views = [
        lambda x: x.transpose(0, 2),
        lambda x: x[::2, :, 1:3],
        lambda x: x.contiguous(memory_format=torch.channels_last),
    ]
    for view in views:
        results = []
        for kept in (view, lambda x, view=view: view(x).contiguous()):
            p = torch.nn.Parameter(kept(wide.clone()))
            p.grad = kept(gradient.clone())
            strides = p.stride()
            optimizer = AdamW([p], lr=0.1, state="8bit", min_8bit_size=0)
            for _ in range(3):
                optimizer.step()
            assert p.stride() == strides
            results.append((p.detach().clone(), optimizer.state[p]["exp_avg_code"].clone()))
        (p, code), (q, due) = results
        assert torch.equal(p, q) and torch.equal(code, due)


def test_a_gradient_with_a_pending_negation() -> None:
    """torch.imag of a conjugate is a view whose memory holds the opposite sign."""
    p = parameter(3)
    p.grad = torch.imag(torch.full((3,), 1j).conj())
    assert p.grad.is_neg()
    ours.SGD([p], lr=1.0).step()
    assert p.tolist() == [2.0] * 3


def test_tensors_may_move_between_steps() -> None:
    """New gradients, new memory of a parameter or a state, another number format."""
    torch.manual_seed(0)
    p, q = (torch.nn.Parameter(torch.ones(5)) for _ in range(2))
    a, b = AdamW([p], lr=0.1), torch.optim.AdamW([q], lr=0.1)
    for t in range(4):
        g = torch.randn(5)
        p.grad, q.grad = g.clone(), g.clone()
        if t == 1:
            p.data = p.data.clone()
        if t == 2:
            a.state[p]["exp_avg"] = a.state[p]["exp_avg"].clone()
            a.state[p]["exp_avg_sq"].share_memory_()
        a.step()
        b.step()
    torch.testing.assert_close(p, q)
    p.grad = None
    p.data = p.data.to(torch.bfloat16)
    p.grad = torch.ones(5, dtype=torch.bfloat16)
    a.step()
    assert p.dtype == torch.bfloat16 and a.state[p]["step"] == 5


def test_state_that_is_cleared_starts_anew() -> None:
    """optimizer.state is the user's, too."""
    p = parameter(3)
    optimizer = AdamW([p])
    optimizer.step()
    optimizer.state.clear()
    optimizer.step()
    assert optimizer.state[p]["step"] == 1


def test_momentum_may_be_switched_on_and_off() -> None:
    """The first gradient with momentum starts the buffer, which is kept while it is off."""
    p, q = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    a, b = (made([x], lr=0.1) for made, x in ((ours.SGD, p), (torch.optim.SGD, q)))
    for t, momentum in enumerate((0.0, 0.0, 0.9, 0.9, 0.0, 0.9)):
        for x, optimizer in ((p, a), (q, b)):
            optimizer.param_groups[0].update(momentum=momentum, dampening=0.5)
            x.grad = torch.full((3,), 1.0 + t)
            optimizer.step()
    torch.testing.assert_close(p, q)


def test_a_graph_that_needs_the_old_values_is_told() -> None:
    """As after a step of torch's: the second backward raises instead of using new values."""
    p = parameter(3)
    square = p * p
    AdamW([p]).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        square.sum().backward()


def test_step_hooks_run() -> None:
    """Before and after a step, of this optimizer."""
    optimizer, seen = AdamW([parameter(3)]), []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    optimizer.step()
    assert seen == ["before", "after"]


# Dynamo warns of what it does itself.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("whole", [False, True], ids=["model", "step"])
def test_training_may_be_compiled(whole: bool) -> None:
    """torch.compile around the model, and around a whole step of training."""

    def train(optimizer: Any, model: Any) -> None:
        def step(model: Any, t: int) -> None:
            optimizer.zero_grad()
            loss(model, t).backward()
            optimizer.step()

        compiled = torch.compile(step if whole else model, backend="aot_eager")
        for t in range(3):
            if whole:
                compiled(model, t)
            else:
                step(compiled, t)

    both(network, train)


def test_threads_step_optimizers_of_their_own() -> None:
    """Four at once; the lock of Python is released meanwhile."""

    def trained(seed: int) -> Any:
        p = torch.nn.Parameter(torch.ones(20_000))
        optimizer = AdamW([p], lr=0.1, state="8bit")
        for t in range(10):
            p.grad = torch.full((20_000,), float(seed + t))
            optimizer.step()
        return p.detach()

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(trained, range(4)))
    assert all(map(torch.equal, together, map(trained, range(4))))


def test_odd_gradients_are_refused_before_anything_changes() -> None:
    """Sparse, on another device, or in another format."""
    p, q = parameter(3), parameter(3)
    optimizer = AdamW([p, q])
    optimizer.step()
    before = p.detach().clone()
    q.grad = torch.ones(3).to_sparse()
    with pytest.raises(RuntimeError, match="AdamW does not take sparse gradients"):
        optimizer.step()
    assert torch.equal(p, before) and optimizer.state[p]["step"] == 1
    meta = torch.nn.Parameter(torch.ones(3, device="meta"))
    meta.grad = torch.ones(3, device="meta")
    with pytest.raises(RuntimeError, match="steps tensors on the CPU, got a parameter on meta"):
        AdamW([meta]).step()
    double = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    double.grad = torch.ones(3, dtype=torch.float64)
    with pytest.raises(TypeError, match="steps float32 and bfloat16, got a parameter"):
        AdamW([double]).step()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"capturable": True}, "AdamW must have capturable=False, got True"),
        ({"differentiable": True}, "AdamW must have differentiable=False, got True"),
        ({"state": "2bit"}, "state must be one of .*; got '2bit'"),
        ({"lr": -1.0}, "lr"),
        ({"betas": (0.9, 1.0)}, "beta2"),
        ({"betas": (0.9,)}, "betas must have 2 numbers"),
        ({"eps": -1.0}, "eps"),
    ],
)
def test_arguments_are_checked_at_once(arguments: dict[str, Any], message: str) -> None:
    """Also those of a group."""
    with pytest.raises(ValueError, match=message):
        AdamW([parameter(3)], **arguments)
    optimizer = AdamW([parameter(3)])
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": [parameter(3)], **arguments})
    assert len(optimizer.param_groups) == 1


def test_unknown_arguments_are_refused() -> None:
    """As of any function; foreach and fused make no difference."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'nesterov'"):
        Lion([parameter(3)], nesterov=True)
    with pytest.raises(ValueError, match="empty parameter list"):
        AdamW([])
    assert "fused" not in AdamW([parameter(3)], fused=True, foreach=False).defaults
