"""chebyshev: inverses of Chebyshev nodes in a fractal order (Agarwal, Goel & Zhang 2021).

Rule
    m = min_curvature, M = max_curvature, T = total_steps, a power of two
    a_t = lr / ((M + m) / 2 - (M - m) / 2 cos(pi (s + 1/2) / T)),  s = sigma_T(t)
    sigma_1(0) = 0,  sigma_2T(2 i) = sigma_T(i),  sigma_2T(2 i + 1) = 2 T - 1 - sigma_T(i)

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr >= 0, 0 < min_curvature <= max_curvature, finite; total_steps >= 1, a power of two.

Choices
    lr = 1 makes gradient descent reduce every quadratic of curvatures in [m, M] as T steps can at
    best. The order is the paper's, counted from 0; any has the same product, and this one no large
    partial products.
    after: past the last step the first comes again ("repeat": the paper), or it stays at the last
    ("hold": pytorch-optimizer).
    start: t = 0 is the first step ("at_once"), or it is made three times ("late"), a departure.

Special cases
    T = 1 is the constant 2 lr / (M + m), as is m = M.

Judged
    The value by the bounded contract.

Sources
    N. Agarwal, S. Goel, C. Zhang, "Acceleration via Fractal Learning Rate Schedules", ICML 2021
    (arXiv:2103.01338), definitions 1 and 2.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Peak, Real
from truestep.reference.robbins_monro import BoundedBelow, Certificate, EventuallyZero, held_at
from truestep.reference.rules import Departure
from truestep.reference.validation import Array, require_ordered, require_step

PI = np.pi

advance = None
DIALECTS = {
    "after": {
        "repeat": "begins again past the last step",
        "hold": "stays at the last value past the last step",
    },
    "start": {
        "at_once": "the first step is made once",
        "late": Departure("the first step is made three times"),
    },
}


class Hyper(declared.Hyper):
    """The rate of curvature 1, the least and the largest curvature, and the number of steps."""

    lr: Peak = 1.0
    min_curvature: Annotated[float, Real(0.0, open="low", usual=(0.05, 0.1, 0.3, 0.01))] = 0.05
    max_curvature: Annotated[float, Real(0.0, open="low", usual=(1.0, 2.0, 5.0, 3.0))] = 1.0
    total_steps: Annotated[int, Count(1, (8, 16, 32, 64, 4, 128, 1024, 2), (1, 2))] = 64
    after: Literal["repeat", "hold"] = "repeat"
    start: Literal["at_once", "late"] = "at_once"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_curvature", "max_curvature")
        if self.total_steps & (self.total_steps - 1):
            raise ValueError(f"total_steps must be a power of two, got {self.total_steps!r}")


def place(i: int, n: int) -> int:
    """sigma_n(i), where n is a power of two: a binary digit of i at a time."""
    s = 0
    for digit in range(1, n.bit_length()):
        m = 2**digit
        s = m - 1 - s if i // (n // m) % 2 == 1 else s
    return s


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t, T = require_step(t), h.total_steps
    t = max(t - 2, 0) if h.start == "late" else t
    i = min(t, T - 1) if h.after == "hold" else t % T
    middle, radius = (
        (h.max_curvature + h.min_curvature) / 2,
        (h.max_curvature - h.min_curvature) / 2,
    )
    return h.lr / (middle - radius * np.cos(PI * (place(i, T) + 0.5) / T))


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.lr == 0:
        return EventuallyZero(0)
    start = 2 if h.start == "late" else 0
    if h.after == "hold":
        last = start + h.total_steps - 1
        return held_at(float(value(h, last)), last)
    return BoundedBelow(h.lr / h.max_curvature / 2, start=start, period=h.total_steps)
