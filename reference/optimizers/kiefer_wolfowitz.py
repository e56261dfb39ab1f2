"""Stochastic search for an extremum from function values alone (Kiefer & Wolfowitz 1952).

Rule
    a_t = lr / t^power
    c_t = width / t^width_power
    g_i = (Y(p_{t-1} + c_t e_i) - Y(p_{t-1} - c_t e_i)) / (2 c_t) for each coordinate i
    p_t = p_{t-1} - a_t g, or + when maximizing

Shapes
    p: any shape, 0-d and empty included; Y maps an array of that shape to a number. t: the number
    of steps made; each takes 2 p.size evaluations of Y, in C order, the positive side first.

Domain
    lr, power, width_power >= 0, width > 0, finite. The theorem asks for c_t -> 0, sum a_t = inf,
    sum a_t c_t < inf and sum (a_t / c_t)^2 < inf; other powers are accepted so that they can fail.

Choices
    The paper maximizes over one variable and leaves a_t and c_t free, with a_t = 1/t and c_t =
    t^(-1/3) as its example; here minimizing is the default, as everywhere. Coordinates in turn are
    Blum's extension (1954). A statement that divides by c_t alone is this rule with twice the lr.

Special cases
    Y even about p leaves p as it is. For a quadratic without noise g is the gradient, for any
    width. A nan from Y makes that coordinate of p nan. Empty p is never evaluated and advances t.

Judged
    p by the bounded contract, t exactly. The errors of Y are Y's own.

Sources
    J. Kiefer, J. Wolfowitz, "Stochastic Estimation of the Maximum of a Regression Function", Ann.
    Math. Statist. 23 (1952) 462-466, section 2. J. Blum, "Multidimensional Stochastic
    Approximation Methods", Ann. Math. Statist. 25 (1954) 737-744.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import POWER, Above, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# The function sees the whole tensor.
FACTS = Facts(elementwise=False, values_alone=True)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """The sequences lr / t^power of steps and width / t^width_power of half widths."""

    # With smaller rates the function's change drowns in its rounding.
    lr: Annotated[float, Real(0.0, usual=(1.0, 0.3, 0.1, 3.0, 0.01), edges=(0.0,))] = 1.0
    power: Annotated[float, Real(0.0, POWER, usual=(1.0, 0.75, 0.6, 0.5, 0.0))] = 1.0
    width: Above = 1.0
    width_power: Annotated[float, Real(0.0, POWER)] = 1 / 3
    maximize: Switch = False


class State(declared.State):
    """The number t of steps made."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Callable[[Array], Array]) -> tuple[State, Array]:
    """One step from state s at p with g, the function Y itself: the new state and the new p."""
    t = s.t + 1
    a = h.lr / t**h.power
    c = h.width / t**h.width_power
    directions = np.eye(p.size).reshape(p.size, *p.shape)
    differences = [(g(p + c * e) - g(p - c * e)) / (2 * c) for e in directions]
    if not differences:
        return State(t=t), p
    gradient = np.concatenate([np.reshape(d, (1,)) for d in differences]).reshape(p.shape)
    if h.maximize:
        gradient = -gradient
    return State(t=t), p - a * gradient
