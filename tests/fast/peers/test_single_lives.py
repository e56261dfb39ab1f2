"""Objects with one group: a correct one passes every law, faulty ones fail."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pytest

from truestep.fast.peers import single_lives
from truestep.fast.protocol import Array, Capability, LifeCapability, Observation, Program
from truestep.properties.run.plan import checks_of, run_check


class Momentum:
    """SGD with momentum, in NumPy."""

    def __init__(self, params: Sequence[Array], numbers: Mapping[str, float]) -> None:
        self.params, self.numbers = [x.copy() for x in params], dict(numbers)
        self.buffers = [np.zeros_like(x) for x in params]

    def step(self, grads: Sequence[Array]) -> None:
        """In place."""
        for p, buffer, g in zip(self.params, self.buffers, grads, strict=True):
            buffer[...] = buffer * np.float32(self.numbers["momentum"]) + g
            p[...] = p - np.float32(self.numbers["lr"]) * buffer

    def set(self, name: str, value: float, group: int) -> None:
        """One number."""
        self.numbers[name] = value

    def copied(self, way: str) -> Self:
        """Either way."""
        found: Self = copy.deepcopy(self) if way == "deepcopied" else pickle.loads(
            pickle.dumps(self)
        )  # fmt: skip
        return found

    def fresh(self, *, otherwise: bool) -> Self:
        """Of defaults where otherwise."""
        numbers = {"lr": 0.5, "momentum": 0.25} if otherwise else self.numbers
        return type(self)(self.params, numbers)

    def held(self, *, saved: bool) -> Any:
        """Numbers and buffers."""
        return copy.deepcopy((self.numbers, self.buffers))

    def load(self, held: Any) -> None:
        """All of it."""
        self.numbers, self.buffers = copy.deepcopy(held)

    def seen(self) -> Observation:
        """All of it."""
        state = [{"buffer": x.copy()} for x in self.buffers]
        groups = [{k: np.asarray(x) for k, x in self.numbers.items()}]
        params = [x.copy() for x in self.params]
        return {"params": params, "state": state, "groups": groups, "loss": [], "rates": []}


class ForgetsBuffers(Momentum):
    """A pickled one begins anew."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "buffers": [np.zeros_like(x) for x in self.buffers]}


class KeepsNumbers(Momentum):
    """What is loaded has no numbers."""

    def load(self, held: Any) -> None:
        self.buffers = copy.deepcopy(held[1])


class SharesBuffers(Momentum):
    """What is loaded is shared."""

    def held(self, *, saved: bool) -> Any:
        return self.numbers, self.buffers

    def load(self, held: Any) -> None:
        self.numbers, self.buffers = held


class LosesFile(Momentum):
    """A file holds half the bits."""

    def held(self, *, saved: bool) -> Any:
        numbers, buffers = super().held(saved=saved)
        return numbers, [x.astype(np.float16).astype(x.dtype) if saved else x for x in buffers]


class IgnoresRate(Momentum):
    """The rate is that of the constructor."""

    def set(self, name: str, value: float, group: int) -> None:
        if name != "lr":
            super().set(name, value, group)


class Bench:
    """A backend of one class."""

    name = "bench"

    def __init__(self, made: Callable[..., Momentum]) -> None:
        self.made = made

    def capabilities(self) -> list[Capability]:
        """The one."""
        numbers = {"lr": 0.03, "momentum": 0.8}
        dialect = {"coupling": "shared", "counts": "all"}
        return [LifeCapability(rule="optimizer", numbers=numbers, dialect=dialect)]

    def lived(self, capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
        """Its lives."""
        return single_lives.lived(
            lambda groups, numbers: self.made(groups[0]["params"], numbers), programs, str, ""
        )


def test_a_correct_object_passes_every_law() -> None:
    """Every law that speaks of it is judged."""
    checks = checks_of(Bench(Momentum))
    assert len(checks) == 10
    for check in checks:
        result = run_check(Bench(Momentum), check, level="smoke", seed=0)
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        (ForgetsBuffers, "resumes_bitwise_from_pickle"),
        (ForgetsBuffers, "resumes_bitwise_from_deepcopy"),
        (IgnoresRate, "numbers_take_effect_at_the_next_step"),
        (KeepsNumbers, "resumes_bitwise_when_constructed_otherwise"),
        (LosesFile, "resumes_bitwise_from_saved_file"),
        (SharesBuffers, "copy_unchanged_when_original_steps"),
        (SharesBuffers, "original_unchanged_when_copy_steps"),
        (SharesBuffers, "state_dict_unchanged_when_owner_steps"),
    ],
)
def test_a_faulty_object_fails_the_law_that_is_its(fault: Any, law: str) -> None:
    """Each fault is found."""
    [check] = [check for check in checks_of(Bench(fault)) if check.name == f"law:{law}"]
    assert run_check(Bench(fault), check, level="smoke", seed=0).verdict == "fail"
