"""MADGRAD, dual averaging divided by the cube root of squares (Defazio and Jelassi 2021).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    lambda_t = lr sqrt(t)
    s_t = s_{t-1} + lambda_t g_t
    v_t = v_{t-1} + lambda_t g_t^2
    z_t = p_0 - s_t / (v_t^(1/3) + eps)
    p_t = momentum p_{t-1} + (1 - momentum) z_t

Shapes
    p, g, s, v, p0: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= momentum < 1.

Choices
    rate: lambda_t is of lr ("plain", the paper) or of lr + eps ("with_eps": the authors' code and
    optax), of a rate of zero too or not ("with_eps_but_zero": pytorch-optimizer).
    decay: added to the gradient ("coupled"), or taken from p_t with that rate, of the p before the
    step ("decoupled": pytorch-optimizer).
    start: p_0 is kept ("kept"), or recovered from p, s and v ("recovered": without momentum, which
    keeps p = z; the authors' code).
    form: p_t as written ("direct"), or as a change that is added to p_{t-1} ("added": optax).
    guard: 0/0 is nan ("none"), or nothing where eps = 0 ("still": pytorch-optimizer).

Special cases
    g = 0 from the start leaves p at p_0 for eps > 0; with eps = 0 it is 0/0, nan, but for the
    guard. nan in g poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, s and v by the bounded contract, p0 too, which never changes; t exactly.

Sources
    A. Defazio, S. Jelassi, "Adaptivity without Compromise: A Momentumized, Adaptive, Dual Averaged
    Gradient Method for Stochastic Optimization", 2021 (arXiv:2101.11075), Algorithm 1. The authors'
    code, facebookresearch/madgrad.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, First, Momentum, Point, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "decoupled": "weight decay of the old parameter, multiplied by the rate, after the step",
    },
    "form": {
        "direct": "the new point as it is",
        "added": "the new point as a change of the old one",
    },
    "guard": {
        "none": "zero gradients divided by zero where eps is zero",
        "still": "no step where eps and all gradients were zero",
    },
    "rate": {
        "plain": "weights of lr",
        "with_eps": "weights of lr + eps",
        "with_eps_but_zero": "weights of lr + eps, and none where lr is zero",
    },
    "start": {"kept": "first point kept", "recovered": "first point recovered from the sums"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of MADGRAD; the defaults are the authors'."""

    lr: Rate = 1e-2
    momentum: Momentum = 0.9
    eps: Epsilon = 1e-6
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "decoupled"] = "coupled"
    form: Literal["direct", "added"] = "direct"
    guard: Literal["none", "still"] = "none"
    rate: Literal["plain", "with_eps", "with_eps_but_zero"] = "plain"
    start: Literal["kept", "recovered"] = "kept"


class State(declared.State):
    """Sums s and v, the first point p0, shaped like p, and the number t of steps made."""

    t: int
    s: First
    v: Second
    p0: Point


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero sums shaped like p, p0 = p, t = 0."""
    return State(t=0, s=np.zeros_like(p), v=np.zeros_like(p), p0=p)


def moved(h: Hyper, total: Array, v: Array) -> Array:
    """The way from the first point to z."""
    root = v ** (1 / 3) + h.eps
    if h.guard == "still" and h.eps == 0:
        root = np.where(v == 0, np.inf, root)
    return total / root


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    plain = h.rate == "plain" or (h.rate == "with_eps_but_zero" and h.lr == 0)
    rate = h.lr if plain else h.lr + h.eps
    weight = rate * np.sqrt(t)
    p0 = s.p0 if h.start == "kept" else p + moved(h, s.s, s.v)
    total, squares = s.s + weight * g, s.v + weight * (g * g)
    z = p0 - moved(h, total, squares)
    new = h.momentum * p + (1 - h.momentum) * z
    if h.form == "added":
        new = p + (new - p)
    if h.decay == "decoupled":
        new = new - rate * h.weight_decay * p
    return State(t=t, s=total, v=squares, p0=s.p0), new
