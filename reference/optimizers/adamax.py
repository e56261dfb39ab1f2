"""Adamax, Adam with the maximum norm (Kingma & Ba 2015, section 7.1).

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    u_t = max(beta2 u_{t-1}, |g_t| + eps)
    p_t = p_{t-1} - lr / (1 - beta1^t) m_t / u_t

Shapes
    p, g, m, u: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    eps: the paper has none; eps = 0 is the paper. PyTorch and optax add it to |g| before the
    maximum is taken ("in_maximum"), so that it stays in the state; Keras adds it to u ("outside").
    decay: the paper has none; PyTorch adds weight_decay p to the gradient ("coupled"), Keras
    shrinks p by (1 - lr weight_decay) first ("before"), optax adds weight_decay p to the update
    that lr multiplies ("in_step").

Special cases
    g = 0 from the start leaves m = 0 and p as it is; with eps = 0 it is 0/0, nan.
    nan in g poisons that element for ever; inf gives m = +-inf, u = inf and p = nan.
    Empty tensors stay empty and advance t.

Judged
    p, m and u by the bounded contract, t exactly.

Sources
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015 (arXiv:1412.6980),
    Algorithm 2.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Size, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
    },
    "eps_placement": {
        "in_maximum": "eps added to the gradient's size before the maximum",
        "outside": "eps added to the maximum",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adamax; names and defaults are PyTorch's."""

    lr: Rate = 2e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "in_step"] = "coupled"
    eps_placement: Literal["in_maximum", "outside"] = "in_maximum"


class State(declared.State):
    """Moment m and weighted maximum u, shaped like p, and the number t of steps made."""

    t: int
    m: First
    u: Size


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), u=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    if h.eps_placement == "in_maximum":
        u = np.maximum(h.beta2 * s.u, np.abs(g) + h.eps)
        update = m / u
    else:
        u = np.maximum(h.beta2 * s.u, np.abs(g))
        update = m / (u + h.eps)
    rate = h.lr / (1 - h.beta1**t)
    if h.decay == "in_step":
        return State(t=t, m=m, u=u), p - (rate * update + h.lr * h.weight_decay * p)
    return State(t=t, m=m, u=u), p - rate * update
