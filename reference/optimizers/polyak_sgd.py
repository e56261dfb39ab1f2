"""SGD with Polyak's step, as long as the linear model takes to its least (Loizou et al. 2021).

Rule
    f_t = the function's value at p_{t-1}, g_t its gradient
    gap = f_t - f_min
    step = min(gap / (|g_t|^2 + eps), max_step)
    p_t = p_{t-1} - lr step g_t

Shapes
    p, g: one shape, any rank, 0-d and empty included; f: 0-d. t: the number of steps made.

Domain
    lr, eps, max_step >= 0, f_min finite.

Choices
    lr is 1 in Polyak's step; the paper's c is 1 / lr, its bound of the step lr max_step. It has no
    eps.
    gap: the difference as it is ("signed"), or 0 where f_t is below f_min ("positive", SPS+).
    guard: no step where |g_t|^2 + eps is zero ("zero"); optax takes none up to 2^-52 ("small").
    norm: of the gradient ("gradient"), or of lr times the gradient ("step", optax): lr then divides
    the step that max_step does not bound.

Special cases
    g = 0 leaves p as it is. f_t below f_min climbs, unless the gap is "positive". nan or inf in g
    makes all of p nan, or 0 times inf; nan in f makes it nan. Empty tensors stay empty and advance
    t.

Judged
    p by the bounded contract, t exactly.

Sources
    N. Loizou, S. Vaswani, I. Laradji, S. Lacoste-Julien, "Stochastic Polyak Step-size for SGD",
    AISTATS 2021 (arXiv:2002.10542), SPS_max; G. Garrigos, R. Gower, F. Schaipp, "Function Value
    Learning" (arXiv:2307.14528), SPS+. optax 0.2.8, polyak_sgd.
"""

import math
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Epsilon, RateFactor, Real
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One step serves all elements.
FACTS = Facts(elementwise=False, inputs={"value": lambda shape: ()})
DIALECTS = {
    "gap": {"signed": "the gap as it is", "positive": "no gap where the value is below the least"},
    "guard": {
        "zero": "no step where the divisor is zero",
        "small": Departure("no step where the divisor is at most 2^-52"),
    },
    "norm": {
        "gradient": "the gradient's norm divides",
        "step": Departure("the norm of lr times the gradient divides"),
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Polyak's step; the defaults are optax's."""

    lr: RateFactor = 1.0
    max_step: Annotated[float, Real(0.0, usual=(1.0, 0.1, 1e3, 1e-3), edges=(0.0,))] = 1.0
    f_min: Annotated[float, Real(-math.inf, usual=(0.0, 0.3, -7.0))] = 0.0
    eps: Epsilon = 0.0
    gap: Literal["signed", "positive"] = "signed"
    guard: Literal["zero", "small"] = "zero"
    norm: Literal["gradient", "step"] = "gradient"


class State(declared.State):
    """The number t of steps made, and nothing else."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Array, *, value: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g and the function's value there: both new."""
    gap = value - h.f_min
    if h.gap == "positive":
        gap = np.maximum(gap, 0.0)
    measured = h.lr * g if h.norm == "step" else g
    size = np.sum(measured * measured) + h.eps
    still = size == 0 if h.guard == "zero" else size <= 2.0**-52
    polyak = np.minimum(gap / np.where(still, 1.0, size), h.max_step)
    return State(t=s.t + 1), p - h.lr * (np.where(still, 0.0, polyak) * g)
