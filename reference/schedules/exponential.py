"""exponential: the learning rate shrinks by a constant factor.

Rule
    a_t = max(lr gamma^(t / step_size), min_lr)

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; 0 < gamma <= 1; step_size >= 1.

Choices
    steps: the exponent is t / step_size ("continuous"), or its floor ("staircase": PyTorch's
    StepLR, Keras with staircase=True). PyTorch's ExponentialLR is step_size = 1.
    min_lr: 0, no floor; optax has one (end_value).

Special cases
    Deep in the tail the value underflows to 0.

Judged
    The value by the bounded contract.

Sources
    PyTorch, ExponentialLR and StepLR, also for `advance`; Keras, ExponentialDecay; optax,
    exponential_decay.
"""

from fractions import Fraction
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Floor, Peak, Real
from truestep.reference.robbins_monro import Certificate, Geometric, held_at
from truestep.reference.validation import Array, require_ordered, require_step

DIALECTS = {
    "steps": {
        "continuous": "shrinks a little every step",
        "staircase": "shrinks by gamma every step_size steps",
    }
}


class Hyper(declared.Hyper):
    """First value, the factor, the number of steps it takes, and a floor."""

    lr: Peak = 1e-3
    gamma: Annotated[float, Real(0.0, 1.0, "low", (0.9, 0.5, 0.1, 0.97), (1.0,))] = 0.9
    step_size: Annotated[int, Count(1, tuple(range(1, 31)), (1,))] = 1
    min_lr: Floor = 0.0
    steps: Literal["continuous", "staircase"] = "continuous"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    exponent = t / h.step_size if h.steps == "continuous" else t // h.step_size
    return np.maximum(h.lr * h.gamma**exponent, h.min_lr)


def advance(h: Hyper, t: int, lr: Array) -> Array:
    """The value at t + 1 from the value lr at t."""
    if h.steps == "continuous":
        return np.maximum(lr * h.gamma ** (1 / h.step_size), h.min_lr)
    return np.maximum(lr * h.gamma, h.min_lr) if (t + 1) % h.step_size == 0 else lr


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.min_lr > 0 or h.lr == 0:
        return held_at(h.min_lr, 0)
    if h.gamma == 1:
        return held_at(h.lr, 0)
    return Geometric((1 + Fraction(h.gamma)) / 2, period=h.step_size)
