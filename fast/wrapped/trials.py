"""What an optimizer is run on, and the record of a run."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from truestep.fast.protocol import Array
from truestep.reference.declared import Count, Flag, Real
from truestep.reference.rules import Optimizer

Named = dict[str, Any]

# A tall matrix; a wide one for the rules that are of matrices, and of any other a vector.
MATRIX, WIDE, VECTOR = (5, 3), (3, 7), (4,)
# Sizes of the gradients step by step: averages of squares grow, and shrink again.
_SIZES = (1.0, 0.1, 0.6, 2.0, 0.3, 1.5, 0.8, 0.5)
# How far what is the same may be apart where it is float32 inside: sixteen roundings.
ROUNDED = 2.0**-20
# Steps of two parameters together: enough for a count to be wrong, and for what follows from it.
TOGETHER = 3
# Numbers below which a term may be less than a rounding.
_SMALL = 1e-3
# Numbers of which every term is alive, and which no library has as its default.
_ALIVE: Mapping[str, float] = {
    "beta1": 0.7,
    "beta2": 0.85,
    "beta3": 0.9375,
    "dampening": 0.25,
    "eps": 0.01,
    "lr": 0.03,
    "max_dim": 3,  # of longer axes a gradient's rank leaves eigenvectors open
    "momentum": 0.6,
    "weight_decay": 0.2,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A run on one tensor, from its first step on.

    params: before the first step and after every one. states, groups: after every step what the
    optimizer keeps of the tensor, and of its group, by name: arrays and numbers.
    """

    grads: Sequence[Array]
    params: Sequence[Array]
    states: Sequence[Named]
    groups: Sequence[Named]


class Subject(Protocol):
    """What can be run on tensors without being told what it computes."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def offered(self) -> Mapping[str, object]:
        """Its numbers by name, with their defaults."""
        ...

    @property
    def hints(self) -> Sequence[float]:
        """Numbers that it was given, and that a rule may be fixed at."""
        ...

    @property
    def literals(self) -> Sequence[float]:
        """Small numbers that stand in its source."""
        ...

    def trial(self, numbers: Mapping[str, object], param: Array, grads: Sequence[Array]) -> Trial:
        """Steps with these numbers, from the first on."""
        ...


class Remembered:
    """A subject whose runs are kept: many rules give it the same numbers."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._runs: dict[str, Trial] = {}

    @property
    def name(self) -> str:
        """What it is called."""
        return self._subject.name

    @property
    def offered(self) -> Mapping[str, object]:
        """Its numbers by name."""
        return self._subject.offered

    @property
    def hints(self) -> Sequence[float]:
        """Numbers that it was given."""
        return self._subject.hints

    @property
    def literals(self) -> Sequence[float]:
        """Small numbers that stand in its source."""
        return self._subject.literals

    def trial(self, numbers: Mapping[str, object], param: Array, grads: Sequence[Array]) -> Trial:
        """The run with these numbers."""
        key = f"{sorted(numbers.items())} {param} {len(grads)}"
        if key not in self._runs:
            self._runs[key] = self._subject.trial(numbers, param, grads)
        return self._runs[key]


def two() -> list[tuple[Array, list[Array]]]:
    """Two parameters, each with its gradients, for TOGETHER steps of one optimizer."""
    return [drawn(shape, seed=i, steps=TOGETHER) for i, shape in enumerate((MATRIX, WIDE))]


def drawn(shape: tuple[int, ...], seed: int, steps: int = len(_SIZES)) -> tuple[Array, list[Array]]:
    """A parameter, and a gradient for every step of a trial.

    Gradients have a part in common, so that estimates of a distance grow.
    """
    rng = np.random.default_rng(seed)
    p, common = rng.normal(size=shape), rng.normal(size=shape)
    sizes = itertools.islice(itertools.cycle(_SIZES), steps)
    return p, [size * (common + rng.normal(size=shape)) for size in sizes]


def alive(rule: Optimizer) -> Named:
    """Numbers of a rule that differ from its defaults, and of which none removes a term."""
    default = rule.Hyper()
    return {f: _alive(f, x, getattr(default, f)) for f, x in rule.Hyper.RANGES.items()}


def large(rule: Optimizer) -> Named:
    """The same where each number shows in a step: a small one, as 1e-30, does not."""
    return {
        field: 0.1 if isinstance(x, float) and 0 < x < _SMALL else x
        for field, x in alive(rule).items()
    }


def _alive(field: str, limits: object, default: object) -> object:
    if field == "maximize":
        return False
    if isinstance(limits, Flag):
        return True
    if isinstance(limits, Count):
        return _ALIVE.get(field) or next(
            (x for x in limits.usual if x not in (0, default) and x < 10), default
        )
    if not isinstance(limits, Real):
        return default
    value = _ALIVE.get(field)
    if field == "lr" and default == 1:
        value = 0.75  # of estimates and of ratios: by less they do not grow in a few steps
    usual = () if limits.of else limits.usual
    first = next((x for x in usual if x not in (0, default)), None)
    for x in (value, first, default * 1.25, default * 0.75):  # type: ignore[operator]
        if x is not None and _within(field, limits, x):
            return x
    return default


def _within(field: str, limits: Real, x: float) -> bool:
    try:
        limits.check(field, x)
    except ValueError:
        return False
    return True
