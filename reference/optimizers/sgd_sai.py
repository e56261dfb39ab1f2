"""SGD-SaI, SGD whose rate is the first gradient's ratio of signal to noise (Xu et al. 2024).

Rule
    g_t = -g when maximizing, else g
    p shrinks by lr weight_decay
    r = |g_1| / (std(g_1) + eps), kept from the first step on
    m_t = momentum m_{t-1} + (1 - momentum) g_t, in the first step g_1
    p_t = p - lr r m_t

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. r: 0-d, of the whole tensor. t: the number
    of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= momentum < 1.

Choices
    std is that of a sample, with n - 1, and 0 of one element. noise: every tensor has a std
    ("measured"), or vectors and single rows have none, and where there is none r is |g_1|
    ("of_matrices": pytorch-optimizer). start: the first average is the gradient ("first"), or
    averaged with zero ("zero": pytorch-optimizer).

Special cases
    g_1 = 0 makes r 0, and p rests for ever. Equal elements have no noise: r is |g_1| / eps. nan in
    g_1 makes all of p nan for ever. Empty tensors stay empty and advance t.

Judged
    p, m and r by the bounded contract, t exactly.

Sources
    M. Xu et al., "No More Adam: Learning Rate Scaling at Initialization is All You Need", 2024
    (arXiv:2412.11768), Algorithm 1. The authors' code, AnonymousAlethiometer/SGD_SaI,
    sgd_sai/sgd_sai.py, for every line.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, First, Momentum, Number, Rate, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One ratio serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "noise": {
        "measured": "every tensor has a standard deviation",
        "of_matrices": "vectors and single rows have none",
    },
    "start": {
        "first": "the first average is the gradient",
        "zero": "the first average is one with zero",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of SGD-SaI; the defaults are the authors'."""

    lr: Rate = 1e-2
    momentum: Momentum = 0.9
    eps: Epsilon = 1e-8
    weight_decay: Decay = 1e-2
    maximize: Switch = False
    noise: Literal["measured", "of_matrices"] = "measured"
    start: Literal["first", "zero"] = "first"


class State(declared.State):
    """The average m, shaped like p, the ratio r, and the number t of steps made."""

    t: int
    m: First
    r: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    return State(t=0, m=np.zeros_like(p), r=np.zeros(()))


def ratio(h: Hyper, g: Array) -> Array:
    """The signal of a gradient over its noise."""
    norm = np.sqrt(np.sum(g * g))
    if h.noise == "of_matrices" and (g.ndim < 2 or g.shape[0] == 1):
        return norm
    if g.size < 2:
        return norm / (0 * norm + h.eps) if h.noise == "measured" else norm
    away = g - np.mean(g)
    std = np.sqrt(np.sum(away * away) / (g.size - 1))
    if h.noise == "measured":
        return norm / (std + h.eps)
    return np.where(std > 0, norm / np.where(std > 0, std + h.eps, 1.0), norm)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if not p.size:
        return State(t=t, m=s.m, r=s.r), p
    if h.maximize:
        g = -g
    r = s.r if s.t else ratio(h, g)
    if s.t or h.start == "zero":
        m = h.momentum * s.m + (1 - h.momentum) * g
    else:
        m = g
    p = p * (1 - h.lr * h.weight_decay)
    return State(t=t, m=m, r=r), p - h.lr * r * m
