"""piecewise_interpolate: from milestone to milestone, to a multiple of the last value.

Rule
    v_m = lr gamma^k, k the number of milestones <= m
    a_t = v_t                                              from the last milestone on
    else, with u the last milestone <= t (0 before the first), w the next one,
    and x = (t - u) / (w - u),
    line: a_t = v_u + (v_w - v_u) x,    cosine: a_t = v_w + (v_u - v_w) (1 + cos(pi x)) / 2

Shapes
    t: the number of steps made, an integer >= 0; milestones: integers; the result is a number.

Domain
    lr >= 0 and finite; gamma > 0, also above 1; milestones >= 0, ascending, repeats allowed and
    counted.

Choices
    shape: "linear" or "cosine", half a wave between two milestones. Both are written as weighted
    means. optax has a factor for each milestone; here one that comes n times has gamma^n.

Special cases
    No milestone at all is a constant. One at 0 acts at once.

Judged
    The value by the bounded contract.

Sources
    optax, piecewise_interpolate_schedule.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Ascending, Counts, Peak, Real
from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_step

PI = np.pi

advance = None
DIALECTS = {
    "shape": {
        "linear": "a straight line from milestone to milestone",
        "cosine": "half a cosine from milestone to milestone",
    }
}


class Hyper(declared.Hyper):
    """First value, the factor, where it has been reached, and the way there."""

    lr: Peak = 0.1
    gamma: Annotated[float, Real(0.0, open="low", usual=(0.5, 2.0, 0.9, 0.1), edges=(1.0,))] = 0.1
    milestones: Annotated[
        tuple[int, ...], Counts(Ascending((0, 5, 17, *range(1, 61))), ((), (0,), (5, 5, 5)))
    ] = (30, 60, 90)
    shape: Literal["linear", "cosine"] = "linear"


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    passed = [milestone for milestone in h.milestones if milestone <= t]
    coming = [milestone for milestone in h.milestones if milestone > t]
    before = h.lr * h.gamma ** len(passed)
    if not coming:
        return before
    start, end = passed[-1] if passed else 0, coming[0]
    after = h.lr * h.gamma ** (len(passed) + coming.count(end))
    x = (t - start) / (end - start)
    weight = (1 + np.cos(PI * x)) / 2 if h.shape == "cosine" else 1 - x
    return weighted(after, before, weight)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    return held_at(h.lr * h.gamma ** len(h.milestones), max(h.milestones, default=0))
