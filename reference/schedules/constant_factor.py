"""constant_factor: a multiple of lr for the first steps, and lr after them.

Rule
    a_t = lr factor        for t < total_steps
    a_t = lr               then

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr >= 0 and finite; 0 <= factor <= 1; total_steps >= 0.

Choices
    None. PyTorch's defaults are a third, and 5 steps.

Special cases
    total_steps = 0 is a constant: no step has the factor. factor = 0 freezes the parameters for
    total_steps steps; nothing leads from 0 back to lr by a quotient, so that `advance` takes lr.

Judged
    The value by the bounded contract.

Sources
    P. Goyal et al., "Accurate, Large Minibatch SGD" (arXiv:1706.02677), section 2.2, the constant
    warm-up. PyTorch, ConstantLR, also for `advance`.
"""

from typing import Annotated

from truestep.reference import declared
from truestep.reference.declared import Count, Peak, Real
from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.validation import Array, require_step

DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """The learning rate, its factor at first, and the number of steps that have it."""

    lr: Peak = 1e-3
    factor: Annotated[float, Real(0.0, 1.0, usual=(1 / 3, 0.1, 0.25, 0.7), edges=(0.0, 1.0))] = (
        1 / 3
    )
    total_steps: Annotated[int, Count(0, (*range(2, 41), 97, 100, 128), (0, 1))] = 5


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    return h.lr * h.factor if require_step(t) < h.total_steps else h.lr


def advance(h: Hyper, t: int, lr: Array) -> Array:
    """The value at t + 1 from the value lr at t, by the factor's inverse."""
    if t + 1 != h.total_steps:
        return lr
    return h.lr if h.factor == 0 else lr * (1 / h.factor)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    return held_at(h.lr, h.total_steps)
