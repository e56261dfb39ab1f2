"""inverse_time: decay with the inverse of time.

Rule
    a_t = lr / (1 + decay_rate t / decay_steps)

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr >= 0, decay_rate > 0, finite; decay_steps >= 1.

Choices
    steps: the quotient t / decay_steps ("continuous"), or its floor ("staircase", Keras).

Special cases
    t = 0 is lr: exactly so as the rule is written, within its rounding as lr D / (D + r t).

Judged
    The value by the bounded contract.

Sources
    L. Bottou, F. E. Curtis, J. Nocedal, "Optimization Methods for Large-Scale Machine Learning",
    SIAM Review 60, 2018 (arXiv:1606.04838), theorem 4.7, in other letters. Keras, InverseTimeDecay.
"""

from fractions import Fraction
from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import Count, Peak, Real
from truestep.reference.robbins_monro import Certificate, EventuallyZero, PowerLaw
from truestep.reference.stages import either
from truestep.reference.validation import Array, require_step

advance = None
DIALECTS = {
    "steps": {
        "continuous": "shrinks a little every step",
        "staircase": "shrinks every decay_steps steps",
    }
}


class Hyper(declared.Hyper):
    """First value, and how fast the denominator grows."""

    lr: Peak = 1e-2
    decay_rate: Annotated[float, Real(0.0, open="low", usual=(0.1, 0.5, 1.0, 3.0))] = 1.0
    decay_steps: Annotated[int, Count(1, tuple(range(1, 41)), (1,))] = 1
    steps: Literal["continuous", "staircase"] = "continuous"


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    if h.steps == "staircase":
        return h.lr / (1 + h.decay_rate * (t // h.decay_steps))
    multiplied = h.lr * h.decay_steps / (h.decay_steps + h.decay_rate * t)
    return either(h.lr / (1 + h.decay_rate * (t / h.decay_steps)), multiplied)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.lr == 0:
        return EventuallyZero(0)
    shift = h.decay_steps / h.decay_rate
    factor = h.lr * shift
    # From the third stair on the floor costs less than a factor of 2.
    return PowerLaw(Fraction(1), factor / 2, 4 * factor, shift=shift, start=2 * h.decay_steps)
