"""polynomial: the learning rate follows a power of the remaining time.

Rule
    a_t = min_lr + (lr - min_lr) (1 - t / total_steps)^power             for t <= total_steps

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; total_steps >= 1; power > 0.

Choices
    Written as the weighted mean (1 - w) min_lr + w lr, which is exact at both ends.
    after: past total_steps held at min_lr ("hold"), or total_steps replaced by its least multiple
    >= t ("cycle": Keras with cycle=True), which restarts lower every time.

Special cases
    t = 0 is exactly lr, t = total_steps exactly min_lr. power = 1 is a straight line.

Judged
    The value by the bounded contract.

Sources
    PyTorch, PolynomialLR, also for `advance`; Keras, PolynomialDecay; optax, polynomial_schedule.
"""

from fractions import Fraction
from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import Floor, Length, Peak, Real
from truestep.reference.robbins_monro import Certificate, PowerLaw, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_ordered, require_step

DIALECTS = {
    "after": {
        "hold": "stays at min_lr past total_steps",
        "cycle": "starts again, lower, every total_steps steps",
    }
}


class Hyper(declared.Hyper):
    """First and last value, the steps between them, and the power."""

    lr: Peak = 1e-3
    min_lr: Floor = 0.0
    total_steps: Length = 1000
    power: Annotated[
        float, Real(0.0, open="low", usual=(0.5, 0.9, 1.0, 2.0, 3.0), edges=(1.0,))
    ] = 1.0
    after: Literal["hold", "cycle"] = "hold"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    if h.after == "hold":
        rest = 1 - min(t, h.total_steps) / h.total_steps
    else:
        # An end that grows with t would leave no digits of 1 - t / end.
        end = h.total_steps * max(1, -(-t // h.total_steps))
        rest = (end - t) / end
    weight = rest**h.power
    return weighted(h.min_lr, h.lr, weight)


def advance(h: Hyper, t: int, lr: Array) -> Array:
    """The value at t + 1 from the value lr at t, by the quotient of the weights; holding."""
    if t >= h.total_steps:
        return lr
    quotient = ((1 - (t + 1) / h.total_steps) / (1 - t / h.total_steps)) ** h.power
    return h.min_lr + (lr - h.min_lr) * quotient


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    T = h.total_steps
    if h.after == "hold" or h.min_lr > 0 or h.lr == 0 or T == 1:
        return held_at(h.min_lr, T)
    # At t = k T + 1 the weight is (1 - 1/T) / (k + 1), nowhere more than T / t.
    high, p = 2 * h.lr * T**h.power, Fraction(h.power)
    return PowerLaw(p, high / 4 ** (1 + h.power), high, start=T + 1, period=T)
