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

from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import Ascending, Counts, Peak, Real
from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.validation import Array, require_step

DIALECTS = {
    "boundary": {
        "at": "a milestone acts when it is reached",
        "after": "a milestone acts one step late",
        "before": "a milestone acts one step early",
    }
}


class Hyper(declared.Hyper):
    """First value, the factor, and when it is applied."""

    lr: Peak = 0.1
    gamma: Annotated[float, Real(0.0, 1.0, "low", (0.9, 0.5, 0.1, 0.97), (1.0,))] = 0.1
    milestones: Annotated[
        tuple[int, ...], Counts(Ascending((0, 5, 17, *range(1, 61))), ((), (0,), (5, 5, 5)))
    ] = (30, 60, 90)
    boundary: Literal["at", "after", "before"] = "at"


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
