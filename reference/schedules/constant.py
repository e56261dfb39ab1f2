"""constant: the same learning rate at every step.

Rule
    a_t = lr

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr >= 0 and finite.

Choices
    None.

Special cases
    lr = 0 freezes the parameters.

Judged
    The value by the bounded contract.

Sources
    H. Robbins, S. Monro, "A Stochastic Approximation Method", Ann. Math. Statist. 22, 1951, for the
    conditions that it violates.
"""

from truestep.reference import declared
from truestep.reference.declared import Peak
from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.validation import Array, require_step

DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """The learning rate."""

    lr: Peak = 1e-3


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    require_step(t)
    return h.lr


def advance(h: Hyper, t: int, lr: Array) -> Array:
    """The value at t + 1 from the value lr at t."""
    return lr


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    return held_at(h.lr, 0)
