"""State dicts of truestep.torch: those of torch where states are float32, and in every form."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import truestep.torch as ours

ARGUMENTS: dict[str, dict[str, Any]] = {
    "Adafactor": {"weight_decay": 0.1},
    "Muon": {"adjust_lr_fn": "match_rms_adamw"},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "SGD": {"momentum": 0.9, "weight_decay": 0.1},
}
NAMESAKES = sorted(name for name in ours.OPTIMIZERS if hasattr(torch.optim, name))
SHAPES = [(), (7,), (64, 80)]
# Of this class, which takes matrices alone.
MATRICES = [(3, 2), (90, 7), (64, 80)]
# Of torch's the iteration is in bfloat16, a unit of which is 2^-8.
COARSE = {"Muon": 2.0**-7}


class Training:
    """Parameters and an optimizer, with gradients that depend on the number of the step alone."""

    def __init__(self, made: Any, dtype: Any = torch.float32, **arguments: Any) -> None:
        torch.manual_seed(0)
        shapes = MATRICES if made.__name__ == "Muon" else SHAPES
        self.params = [torch.nn.Parameter(torch.randn(shape).to(dtype)) for shape in shapes]
        self.optimizer = made(self.params, **arguments)

    def run(self, steps: range) -> Training:
        """These steps."""
        for t in steps:
            torch.manual_seed(1000 + t)
            for p in self.params:
                p.grad = torch.randn(p.shape).to(p.dtype)
            self.optimizer.step()
        return self

    def take(self, other: Training) -> Training:
        """The parameters and the state dict of another, through a file."""
        file = io.BytesIO()
        torch.save(other.optimizer.state_dict(), file)
        file.seek(0)
        self.optimizer.load_state_dict(torch.load(file, weights_only=True))
        with torch.no_grad():
            for p, q in zip(self.params, other.params, strict=True):
                p.copy_(q)
        return self


def close(a: Training, b: Training, share: float = 0.0) -> None:
    """Equal but for rounding, or for a share of the way that has been made."""
    begin = Training(type(b.optimizer)).params
    for p, q, start in zip(a.params, b.params, begin, strict=True):
        if share:
            assert (p - q).norm() <= share * (q - start).norm()
        else:
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMESAKES)
def test_training_goes_on_from_and_to_torch(name: str) -> None:
    """Half of the steps by each, in either order, comes out as all of them by one."""
    made, theirs, arguments = (
        ours.OPTIMIZERS[name],
        getattr(torch.optim, name),
        ARGUMENTS.get(name, {}),
    )
    whole = Training(theirs, **arguments).run(range(10))
    first = Training(theirs, **arguments).run(range(5))
    # Other arguments than the state dict's, which count.
    second = Training(made, lr=0.5).take(first).run(range(5, 10))
    close(second, whole, COARSE.get(name, 0.0))
    mine = Training(made, **arguments).run(range(5))
    keys = [set(state) for state in first.optimizer.state_dict()["state"].values()]
    held = [set(state) for state in mine.optimizer.state_dict()["state"].values()]
    assert [got - {"step"} for got in held] == [due - {"step"} for due in keys]
    last = Training(theirs, lr=0.5).take(mine).run(range(5, 10))
    close(last, whole, COARSE.get(name, 0.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "way"),
    [(x, way) for x, made in sorted(ours.OPTIMIZERS.items()) for way in made.row.ways],
)
def test_training_resumes_bitwise(name: str, way: str, dtype: Any) -> None:
    """From a state dict in a file, and from a pickle of optimizer and parameters."""
    arguments = {**ARGUMENTS.get(name, {}), "state": way, "min_8bit_size": 7}
    made = ours.OPTIMIZERS[name]
    whole = Training(made, dtype, **arguments).run(range(6))
    first = Training(made, dtype, **arguments).run(range(3))
    second = Training(made, dtype, **arguments).take(first).run(range(3, 6))
    third = pickle.loads(pickle.dumps(first)).run(range(3, 6))
    for again in (second, third):
        assert all(map(torch.equal, again.params, whole.params))
        for p, q in zip(again.params, whole.params, strict=True):
            a, b = again.optimizer.state[p], whole.optimizer.state[q]
            assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("to", ["float32", "bfloat16", "8bit", "4bit"])
@pytest.mark.parametrize("since", ["float32", "bfloat16", "8bit", "4bit"])
def test_a_state_is_brought_into_the_form_that_is_asked_for(since: str, to: str) -> None:
    """The optimizer that loads keeps its way; the numbers stay, to the accuracy of both."""
    first = Training(ours.AdamW, state=since, min_8bit_size=0).run(range(5))
    second = Training(ours.AdamW, state=to, min_8bit_size=0).take(first)
    assert [group["state"] for group in second.optimizer.param_groups] == [to]
    plain = Training(ours.AdamW, state="float32").take(second)
    direct = Training(ours.AdamW).take(first)
    for p, q in zip(plain.params, direct.params, strict=True):
        for key in ("exp_avg", "exp_avg_sq"):
            got, due = plain.optimizer.state[p][key], direct.optimizer.state[q][key]
            assert got.dtype == torch.float32 and plain.optimizer.state[p]["step"] == 5
            error = 0.0 if since == to else 0.15 if to == "4bit" else 0.03
            assert (got - due).abs().max() <= error * due.abs().max()


def test_loading_copies() -> None:
    """Two optimizers of one state dict have nothing in common."""
    first = Training(ours.AdamW).run(range(2))
    second = Training(ours.AdamW)
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    before = first.optimizer.state[first.params[2]]["exp_avg"].clone()
    second.run(range(2, 4))
    assert torch.equal(first.optimizer.state[first.params[2]]["exp_avg"], before)
    assert first.optimizer.state[first.params[2]]["step"] == 2


def test_states_of_bfloat16_parameters_stay_float32() -> None:
    """torch casts what is loaded to the parameter's format."""
    first = Training(ours.AdamW, torch.bfloat16).run(range(2))
    second = Training(ours.AdamW, torch.bfloat16).take(first)
    assert second.optimizer.state[second.params[2]]["exp_avg"].dtype == torch.float32


def test_a_state_dict_that_cannot_be_used_changes_nothing() -> None:
    """Of an argument that is not offered, or of parameters of another shape."""
    first = Training(ours.AdamW).run(range(2))
    saved = first.optimizer.state_dict()
    other = Training(ours.AdamW)
    saved["param_groups"][0]["capturable"] = True
    with pytest.raises(ValueError, match="AdamW must have capturable=False, got True"):
        other.optimizer.load_state_dict(saved)
    assert not other.optimizer.state and not other.optimizer.param_groups[0]["capturable"]
    saved = first.optimizer.state_dict()
    saved["state"][2]["exp_avg"] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"shape \(64, 80\), got \(3,\)"):
        other.optimizer.load_state_dict(saved)


def test_hooks_of_loading_and_saving_run() -> None:
    """A pre-hook may replace the state dict, a post-hook sees what has been loaded."""
    first = Training(ours.AdamW).run(range(2)).optimizer
    second = Training(ours.AdamW).optimizer
    seen: list[Any] = []

    def shorter(optimizer: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
        return {**state_dict, "state": {0: state_dict["state"][0]}}

    def loaded(optimizer: Any) -> Iterator[None] | None:
        seen.extend(float(state["step"]) for state in optimizer.state.values())
        return None

    second.register_load_state_dict_pre_hook(shorter)
    second.register_load_state_dict_post_hook(loaded)
    second.load_state_dict(first.state_dict())
    assert seen == [2.0] and len(second.state) == 1
