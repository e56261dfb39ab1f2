"""linear_warmup_exponential: a straight line up to lr, then it shrinks by a constant factor.

Rule
    a_t = lr t / warmup_steps                                              for t < warmup_steps
    a_t = max(lr gamma^((t - warmup_steps) / step_size), min_lr)           then

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; 0 < gamma <= 1; step_size >= 1; warmup_steps >= 0.

Choices
    steps: the exponent is the quotient ("continuous"), or its floor ("staircase").
    min_lr: 0, no floor; optax has one (end_value). The warm-up passes below it.

Special cases
    warmup_steps = 0 is exponential. Deep in the tail the value underflows to 0.

Judged
    The value by the bounded contract.

Sources
    P. Goyal et al., "Accurate, Large Minibatch SGD" (arXiv:1706.02677), section 2.2, for the
    warm-up; optax, warmup_exponential_decay_schedule.
"""

from fractions import Fraction
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Floor, Peak, Real
from truestep.reference.robbins_monro import Certificate, Geometric, held_at
from truestep.reference.validation import Array, require_ordered, require_step

advance = None
DIALECTS = {
    "steps": {
        "continuous": "shrinks a little every step",
        "staircase": "shrinks by gamma every step_size steps",
    }
}


class Hyper(declared.Hyper):
    """Peak and floor, the factor, the number of steps it takes, and the length of the warm-up."""

    lr: Peak = 1e-3
    min_lr: Floor = 0.0
    gamma: Annotated[float, Real(0.0, 1.0, "low", (0.9, 0.5, 0.1, 0.97), (1.0,))] = 0.9
    step_size: Annotated[int, Count(1, tuple(range(1, 31)), (1,))] = 1
    warmup_steps: Annotated[int, Count(0, tuple(range(1, 61)), (0, 1))] = 100
    steps: Literal["continuous", "staircase"] = "continuous"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    if t < h.warmup_steps:
        return h.lr * t / h.warmup_steps
    s = t - h.warmup_steps
    exponent = s / h.step_size if h.steps == "continuous" else s // h.step_size
    return np.maximum(h.lr * h.gamma**exponent, h.min_lr)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.min_lr > 0 or h.lr == 0:
        return held_at(h.min_lr, h.warmup_steps)
    if h.gamma == 1:
        return held_at(h.lr, h.warmup_steps)
    ratio = (1 + Fraction(h.gamma)) / 2
    return Geometric(ratio, start=h.warmup_steps, period=h.step_size)
