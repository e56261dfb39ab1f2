"""Stochastic approximation of a root from noisy observations (Robbins & Monro 1951).

Rule
    y_t = an observation whose mean at p_{t-1} is M(p_{t-1}); the root of M(p) = target is sought
    a_t = lr / (t + offset)^power
    p_t = p_{t-1} - a_t (y_t - target)

Shapes
    p, y: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, offset, power >= 0, target finite; offset <= 2^30 and power <= 32, with which no count of 32
    bits overflows. The theorem asks for sum a_t = inf and sum a_t^2 < inf, that is
    1/2 < power <= 1; other powers are accepted so that they can be seen to fail.

Choices
    The paper leaves the sequence a_t free; the power law is its own example (a_t = 1/t)
    with the usual exponent and shift.
    In minimization y is a gradient and target = 0.

Special cases
    y = target leaves p as it is. lr = 1, offset = 0, power = 1, target = 0 and y = p - x give the
    mean of the x exactly. nan or inf in y makes that element of p nan or inf. Empty tensors stay
    empty.

Judged
    p by the bounded contract, t exactly.

Sources
    H. Robbins, S. Monro, "A Stochastic Approximation Method", Ann. Math. Statist. 22 (1951)
    400-407, section 2.
"""

import math
from typing import Annotated

from truestep.reference import declared
from truestep.reference.declared import POWER, Rate, Real
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """The step sequence lr / (t + offset)^power and the level whose crossing is sought."""

    lr: Rate = 1.0
    offset: Annotated[float, Real(0.0, 2.0**30, usual=(0.0, 1.0, 10.0, 3.0, 0.7))] = 0.0
    power: Annotated[float, Real(0.0, POWER, usual=(1.0, 0.75, 0.6, 0.5, 0.0))] = 1.0
    target: Annotated[float, Real(-math.inf, usual=(0.0, 0.3, -7.0))] = 0.0


class State(declared.State):
    """The number t of steps made."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with observation g: the new state and the new p."""
    t = s.t + 1
    a = h.lr / (h.offset + t) ** h.power
    return State(t=t), p - a * (g - h.target)
