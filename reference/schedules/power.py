"""power: a power of time, the step size of stochastic approximation (Robbins & Monro 1951).

Rule
    a_t = lr / (t + shift)^power

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr >= 0, finite; shift >= 2^-31 and 0 < power <= 32, with which no count of 32 bits overflows.

Choices
    shift = 1 makes the steps lr / k^power, k = 1, 2, ...; a larger shift tames the first steps.

Special cases
    1/2 < power <= 1 satisfies both conditions of Robbins and Monro. power = 1/2, lr / sqrt(t), is
    often listed among them; it violates the second.

Judged
    The value by the bounded contract.

Sources
    H. Robbins, S. Monro, "A Stochastic Approximation Method", Ann. Math. Statist. 22, 1951,
    equations 6 and 27.
"""

from fractions import Fraction
from typing import Annotated

from truestep.reference import declared
from truestep.reference.declared import POWER, Peak, Real
from truestep.reference.robbins_monro import Certificate, EventuallyZero, PowerLaw
from truestep.reference.validation import Array, require_step

advance = None
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """The factor, the shift of time, and the power."""

    lr: Peak = 1.0
    shift: Annotated[float, Real(2.0**-31, usual=(1.0, 10.0, 0.5, 3.7))] = 1.0
    power: Annotated[
        float, Real(0.0, POWER, "low", usual=(0.5, 0.9, 1.0, 2.0, 3.0), edges=(1.0,))
    ] = 1.0


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    return h.lr / (require_step(t) + h.shift) ** h.power


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.lr == 0:
        return EventuallyZero(0)
    return PowerLaw(Fraction(h.power), h.lr / 2, 2 * h.lr, shift=h.shift)
