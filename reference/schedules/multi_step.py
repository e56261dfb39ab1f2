"""multi_step: the learning rate shrinks by a factor at every milestone.

Rule
    a_t = lr gamma^k,  k = the number of milestones <= t

Shapes
    t: the number of steps made, an integer >= 0; milestones: integers; the result is a number.

Domain
    lr >= 0 and finite; 0 < gamma <= 1; milestones >= 0, ascending, repeats allowed and counted.

Choices
    boundary: a milestone acts at t = milestone ("at": PyTorch), from t = milestone + 1 on ("after":
    Keras' PiecewiseConstantDecay) or from t = milestone - 1 on ("before": timm).

Special cases
    No milestone at all is a constant.

Judged
    The value by the bounded contract.

Sources
    PyTorch, MultiStepLR, also for `advance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.validation import (
    Array,
    require_above,
    require_at_least,
    require_at_most,
    require_one_of,
    require_step,
)

DIALECTS = {
    "boundary": {
        "at": "a milestone acts when it is reached",
        "after": "a milestone acts one step late",
        "before": "a milestone acts one step early",
    },
}


@dataclass(frozen=True, slots=True)
class Hyper:
    """First value, the factor, and when it is applied."""

    lr: float = 0.1
    gamma: float = 0.1
    milestones: tuple[int, ...] = (30, 60, 90)
    boundary: Literal["at", "after", "before"] = "at"

    def __post_init__(self) -> None:
        require_at_least(self, 0.0, "lr")
        require_above(self, 0.0, "gamma")
        require_at_most(self, 1.0, "gamma")
        for milestone in self.milestones:
            require_step(milestone)
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"milestones must be ascending, got {self.milestones!r}")
        require_one_of(self, DIALECTS)


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t) + {"at": 0, "after": -1, "before": 1}[h.boundary]
    k = sum(milestone <= t for milestone in h.milestones)
    return h.lr * h.gamma**k


def advance(h: Hyper, t: int, lr: Array) -> Array:
    """The value at t + 1 from the value lr at t."""
    t = t + {"at": 0, "after": -1, "before": 1}[h.boundary]
    return lr * h.gamma ** h.milestones.count(t + 1)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    return held_at(h.lr * h.gamma ** len(h.milestones), max(h.milestones, default=0) + 1)
