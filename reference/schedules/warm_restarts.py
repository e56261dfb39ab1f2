"""warm_restarts: cosines that start again and again (SGDR, Loshchilov & Hutter 2017).

Rule
    Cycle i has T_i = cycle_steps growth^i steps and the peak lr decay^i; with t_cur the number of
    steps made in it,
    a_t = min_lr + (lr decay^i - min_lr) (1 + cos(pi t_cur / T_i)) / 2

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; cycle_steps, growth >= 1, integers; 0 < decay <= 1.

Choices
    Cycles are counted in integers: the logarithm that libraries use to find the cycle is off by one
    at some restarts. t_cur < T_i always: the value that would equal min_lr is the next peak.
    decay: 1 in the paper; timm's cycle_decay. Keras' m_mul multiplies lr - min_lr, which is the
    same for min_lr = 0 alone.

Special cases
    Restarts have exactly the peak. Where lr decay^i falls below min_lr the cycle would rise; it
    stays at min_lr. cycle_steps = growth = 1 is a constant.

Judged
    The value by the bounded contract.

Sources
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017
    (arXiv:1608.03983), section 3, equation 5.
"""

from fractions import Fraction
from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Floor, Peak, Real
from truestep.reference.robbins_monro import Certificate, GeometricCycles, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_ordered, require_step

PI = np.pi

advance = None
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """First peak, floor, and the length of the first cycle with its growth and the peak's decay."""

    lr: Peak = 1e-3
    min_lr: Floor = 0.0
    cycle_steps: Annotated[int, Count(1, tuple(range(2, 21)), (1,))] = 10
    growth: Annotated[int, Count(1, (1, 2, 3), (1,))] = 2
    decay: Annotated[float, Real(0.0, 1.0, "low", (0.5, 0.7, 0.9), (1.0,))] = 1.0

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")


def cycle(h: Hyper, t: int) -> tuple[int, int, int]:
    """The number of the cycle that t lies in, its first step and its length."""
    if h.growth == 1:
        i = t // h.cycle_steps
        return i, i * h.cycle_steps, h.cycle_steps
    i, start, length = 0, 0, h.cycle_steps
    while t >= start + length:
        i, start, length = i + 1, start + length, length * h.growth
    return i, start, length


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    i, start, length = cycle(h, t)
    peak = np.maximum(h.lr * h.decay**i, h.min_lr)
    weight = (1 + np.cos(PI * (t - start) / length)) / 2
    return weighted(h.min_lr, peak, weight)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.min_lr > 0 or h.lr == 0:
        return held_at(h.min_lr, 0)
    return GeometricCycles(h.cycle_steps, h.growth, Fraction(h.decay), h.lr)
