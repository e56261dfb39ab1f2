"""Fromage: steps in proportion to each layer's norm (Bernstein et al. 2020).

Rule
    g_t = -g when maximizing, else g
    p_t = (p_{t-1} - lr g_t |p_{t-1}| / |g_t|) / sqrt(1 + lr^2)

Shapes
    p, g: one shape, any rank, 0-d and empty included; norms are of the whole tensor. t: the number
    of steps made.

Domain
    lr, min_norm >= 0 and finite.

Choices
    guard: where a norm is zero the step is lr g_t ("zero", optax), or also where one is nan, as in
    the authors' code, which asks whether both are positive ("positive": pytorch-optimizer too). Or
    no norm is taken for less than min_norm ("floor", optax): with 0 that is "zero".
    shrink: the moved point is divided ("whole"), or what the root takes off p is added to the step,
    and both to p ("in_step", optax): the same but for its rounding.

Special cases
    g = 0 shrinks p by sqrt(1 + lr^2). nan in g makes all of p nan, or with "positive" that element
    alone; inf makes it nan, and the others rest. Empty tensors stay empty
    and advance t.

Judged
    p by the bounded contract, t exactly.

Sources
    J. Bernstein, A. Vahdat, Y. Yue, M.-Y. Liu, "On the distance between two neural networks and
    the stability of learning", NeurIPS 2020 (arXiv:2002.03432), Algorithm 1; the authors'
    fromage.py.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Rate, Real, Switch, decades
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Its norms are those of the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "guard": {
        "zero": "a plain step where a norm is zero",
        "positive": "a plain step where a norm is not above zero, or nan",
        "floor": "norms of at least min_norm, and a plain step where one is zero",
    },
    "shrink": {
        "whole": "moved point divided",
        "in_step": "what is taken off the point in one sum with the step",
    },
}


class Hyper(declared.Hyper):
    """The learning rate, the paper's, and what a norm is asked; min_norm is optax's."""

    lr: Rate = 1e-2
    min_norm: Annotated[float, Real(0.0, usual=(1e-6, *decades(-6, 0)), edges=(0.0,))] = 1e-6
    maximize: Switch = False
    guard: Literal["zero", "positive", "floor"] = "zero"
    shrink: Literal["whole", "in_step"] = "whole"


class State(declared.State):
    """The number t of steps made, and nothing else."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    p_norm, g_norm = np.sqrt(np.sum(p * p)), np.sqrt(np.sum(g * g))
    if h.guard == "floor":
        p_norm, g_norm = np.maximum(p_norm, h.min_norm), np.maximum(g_norm, h.min_norm)
    still = (p_norm == 0) | (g_norm == 0)
    if h.guard == "positive":
        still = ~((p_norm > 0) & (g_norm > 0))
    ratio = np.where(still, 1.0, p_norm / np.where(still, 1.0, g_norm))
    if h.shrink == "in_step":
        left = 1 / np.sqrt(1 + h.lr * h.lr)
        return State(t=s.t + 1), p + ((left - 1) * p - h.lr * left * (ratio * g))
    return State(t=s.t + 1), (p - h.lr * (ratio * g)) / np.sqrt(1 + h.lr * h.lr)
