"""Signum: signSGD on an averaged gradient (Bernstein et al. 2018).

Rule
    g_t = -g when maximizing, else g
    m_t = momentum m_{t-1} + (1 - momentum) g_t
    p_t = p_{t-1} - lr (sign(m_t) + weight_decay p_{t-1})

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= momentum < 1.

Choices
    buffer: the paper's weighted "average", or a "sum" (m_t = momentum m_{t-1} + g_t), which is the
    average over 1 - momentum and has the same sign.
    decay: outside the sign, in one sum with the step ("in_step") or as a factor of p ("before", the
    same but for its rounding), or added to the gradient ("coupled").
    nan_sign: nan has the sign nan ("nan") or, in torch, "zero".
    sign(0) = 0, as in signsgd.

Special cases
    g = 0 from the start moves p by the decay alone; momentum = 0 is signsgd. nan in g poisons that
    element of m and p for ever; inf fixes its sign. Empty tensors stay empty and advance t.

Judged
    m by the bounded contract; p by it where the sign of m is decided; t exactly.

Sources
    J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar, "signSGD: Compressed Optimisation
    for Non-Convex Problems", ICML 2018 (arXiv:1802.04434), Algorithm 2.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, First, Momentum, Rate, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "buffer": {
        "average": "buffer is the weighted average of gradients",
        "sum": "buffer is the weighted sum of gradients",
    },
    "decay": {
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient, inside the sign",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
}


class Hyper(declared.Hyper):
    """Learning rate, momentum and weight decay."""

    lr: Rate = 1e-4
    momentum: Momentum = 0.9
    weight_decay: Decay = 0.0
    maximize: Switch = False
    buffer: Literal["average", "sum"] = "average"
    decay: Literal["in_step", "before", "coupled"] = "in_step"
    nan_sign: Literal["nan", "zero"] = "nan"


class State(declared.State):
    """Averaged gradient m, shaped like p, and the number t of steps made."""

    t: int
    m: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: a zero average shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    m = h.momentum * s.m + (g if h.buffer == "sum" else (1 - h.momentum) * g)
    update = np.sign(m)
    if h.nan_sign == "zero":
        update = np.where(np.isnan(m), 0.0, update)
    if h.decay == "in_step":
        update = update + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    return State(t=t, m=m), p - h.lr * update
