"""Least mean squares, the adaptive linear filter of Widrow & Hoff (1960), and its normalized form.

Rule
    (x, d) = one example: input, in the gradient's place, and desired response
    e_t = d - <p_{t-1}, x>
    p_t = p_{t-1} + lr e_t x

Shapes
    p, x: one shape, any rank; d: 0-d. t: the number of examples seen.

Domain
    lr, eps >= 0 and finite. Stable in the mean for lr below 2 over the largest eigenvalue of the
    input's covariance; the normalized form for lr < 2.

Choices
    loss: the step descends e^2 / 2 ("half_square"); texts that descend e^2 step twice as far
    ("square").
    normalization: the power-normalized form (NLMS) divides the step by eps + <x, x> ("power").

Special cases
    x = 0 leaves p as it is; normalized with eps = 0 it is 0/0, nan. nan or inf in x or d makes all
    of p nan or inf. Empty p stays empty.

Judged
    p by the bounded contract, t exactly.

Sources
    B. Widrow, M. Hoff, "Adaptive Switching Circuits", IRE WESCON Convention Record 4 (1960).
    S. Haykin, "Adaptive Filter Theory", chapters on LMS and normalized LMS.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Epsilon, Rate
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# The error sums over the whole tensor.
FACTS = Facts(elementwise=False, inputs={"response": lambda shape: ()})
DIALECTS = {
    "loss": {
        "half_square": "gradient of half the squared error",
        "square": "gradient of the squared error, twice as long",
    },
    "normalization": {
        "none": "step not divided by the input's power",
        "power": "step divided by eps plus the input's power",
    },
}


class Hyper(declared.Hyper):
    """Learning rate, and the eps of the normalized form."""

    lr: Rate = 1e-2
    eps: Epsilon = 1e-8
    loss: Literal["half_square", "square"] = "half_square"
    normalization: Literal["none", "power"] = "none"


class State(declared.State):
    """The number t of examples seen."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first example: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Array, *, response: Array) -> tuple[State, Array]:
    """One step from state s at p with the example (g, response): the new state and the new p."""
    x, d = g, response
    e = d - np.sum(p * x)
    move = h.lr * e * x if h.loss == "half_square" else 2 * h.lr * e * x
    if h.normalization == "power":
        move = move / (h.eps + np.sum(x * x))
    return State(t=s.t + 1), p + move
