"""Gravity, a velocity that takes long gradients for short ones (Bahrami & Pourbozorg Zadeh 2021).

Rule
    g_t = -g when maximizing, else g
    k = t - 1, the number of steps made before
    beta_k = (beta k + 1) / (k + 2)
    z_t = g_t / (1 + (g_t max |g_t|)^2)
    v_t = beta_k v_{t-1} + (1 - beta_k) z_t
    p_t = p_{t-1} - lr v_t

Shapes
    p, g, v: one shape, any rank, 0-d and empty included. The maximum is over the whole tensor. t:
    the number of steps made.

Domain
    lr >= 0 and finite; 0 <= beta <= 1.

Choices
    The paper has g_t / (1 / max |g_t|) in the brackets. The velocity begins at rest here; the
    authors draw it from a normal distribution of deviation alpha / lr, and do not read alpha again:
    a first velocity is a state as any other.
    count: in the authors' code k is the number of steps made before ("before"); pytorch-optimizer
    counts the step itself too ("with").

Special cases
    g = 0 everywhere lets v shrink. nan in g makes all of z nan; an infinite element makes itself
    nan, zeros beside it nan, and the rest 0. Empty tensors stay empty and advance t.

Judged
    p and v by the bounded contract, t exactly.

Sources
    D. Bahrami, S. Pourbozorg Zadeh, "Gravity Optimizer: a Kinematic Approach on Optimization in
    Deep Learning", 2021 (arXiv:2101.09192), Algorithm 1. The authors' code,
    dariush-bahrami/gravity.optimizer, README.md. pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import First, Rate, Real, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One maximum serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "count": {
        "before": "the memory is that of the number of steps made before",
        "with": Departure("the memory counts the step itself"),
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of Gravity; the defaults are the authors'."""

    lr: Rate = 0.1
    beta: Annotated[float, Real(0.0, 1.0, usual=(0.9, 0.5, 0.99, 1.0, 0.0))] = 0.9
    maximize: Switch = False
    count: Literal["before", "with"] = "before"


class State(declared.State):
    """The velocity v, shaped like p, and the number t of steps made."""

    t: int
    v: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: at rest, t = 0."""
    return State(t=0, v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if not p.size:
        return State(t=t, v=s.v), p
    if h.maximize:
        g = -g
    k = s.t if h.count == "before" else t
    beta = (h.beta * k + 1) / (k + 2)
    steep = g * np.max(np.abs(g))
    z = g / (1 + steep * steep)
    v = beta * s.v + (1 - beta) * z
    return State(t=t, v=v), p - h.lr * v
