"""Adam-HD, Adam with gradient descent on its rate (Baydin et al. 2018).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    rate_t = rate_{t-1} + hypergrad_lr <g_t, u_{t-1}>, from rate_0 = lr and u_0 = 0
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    u_t = m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + eps)
    p_t = p_{t-1} - rate_t u_t

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. rate: 0-d. One rate serves all tensors
    of a model: p is their elements, flattened and joined. t: the number of steps made.

Domain
    lr, hypergrad_lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    eps_placement: "outside" the root of the corrected average, or added to the root before the
    correction ("before_correction", the authors' code), as of Adam.

Special cases
    lr is the first rate alone. The rate may fall below zero, and steps then climb. hypergrad_lr = 0
    leaves Adam. g = 0 from the start leaves p as it is for eps > 0; with eps = 0 it is 0/0, nan.
    nan or inf in g makes the next rate, and with it all of p, nan. Empty tensors stay empty and
    advance t.

Judged
    p, m, v and rate by the bounded contract, t exactly.

Sources
    A. G. Baydin, R. Cornish, D. Martinez Rubio, M. Schmidt, F. Wood, "Online Learning Rate
    Adaptation with Hypergradient Descent", ICLR 2018 (arXiv:1703.04782), Algorithm 6. The authors'
    code, gbaydin/hypergradient-descent.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Decay,
    Epsilon,
    First,
    Number,
    Rate,
    Real,
    Second,
    Switch,
    decades,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One rate serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "eps_placement": {
        "outside": "eps added to the root of the corrected average",
        "before_correction": "eps added to the root of the average before its correction",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adam-HD; the defaults are the paper's."""

    lr: Rate = 1e-3
    hypergrad_lr: Annotated[float, Real(0.0, usual=decades(-7, 0), edges=(0.0,))] = 1e-7
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    eps_placement: Literal["outside", "before_correction"] = "outside"


class State(declared.State):
    """Moments m and v, shaped like p, the rate, and the counter t."""

    t: int
    m: First
    v: Second
    rate: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, the rate lr, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, m=zeros, v=zeros, rate=np.asarray(h.lr))


def direction(h: Hyper, t: int, m: Array, v: Array) -> Array:
    """What the rate multiplies in step t."""
    left1, left2 = 1 - h.beta1**t, 1 - h.beta2**t
    if h.eps_placement == "outside":
        return m / left1 / (np.sqrt(v / left2) + h.eps)
    return np.sqrt(left2) / left1 * (m / (np.sqrt(v) + h.eps))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    rate = s.rate
    if s.t > 0:
        rate = rate + h.hypergrad_lr * np.sum(g * direction(h, s.t, s.m, s.v))
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    return State(t=t, m=m, v=v, rate=rate), p - rate * direction(h, t, m, v)
