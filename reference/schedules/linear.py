"""linear: a straight line between two multiples of lr.

Rule
    x = min(t, total_steps) / total_steps
    a_t = lr ((1 - x) start_factor + x end_factor)

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr, start_factor, end_factor >= 0 and finite; total_steps >= 1.

Choices
    The weighted mean is exact at both ends. The defaults are a decay to zero; PyTorch's LinearLR
    starts at 1/3, ends at 1 and takes 5 steps.

Special cases
    Past total_steps the value stays at lr end_factor.

Judged
    The value by the bounded contract.

Sources
    PyTorch, LinearLR, also for `advance`.
"""

from typing import Annotated

from truestep.reference import declared
from truestep.reference.declared import Length, Peak, Real
from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_step

DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """The learning rate, its factors at both ends, and the steps between them."""

    lr: Peak = 1e-3
    start_factor: Annotated[float, Real(0.0, usual=(1 / 3, 0.1, 0.25, 1e-3))] = 1.0
    end_factor: Annotated[float, Real(0.0, usual=(0.7, 0.1, 1.0, 0.0))] = 0.0
    total_steps: Length = 1000


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = min(require_step(t), h.total_steps)
    x = t / h.total_steps
    return h.lr * weighted(h.start_factor, h.end_factor, x)


def advance(h: Hyper, t: int, lr: Array) -> Array:
    """The value at t + 1 from the value lr at t, by the quotient of the factors."""
    if t >= h.total_steps:
        return lr
    rise = h.end_factor - h.start_factor
    return lr * (1 + rise / (h.total_steps * h.start_factor + t * rise))


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    return held_at(h.lr * h.end_factor, h.total_steps)
