"""AdaMod, Adam whose rates are limited by their own averages (Ding et al. 2019).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_hat, v_hat = m_t / (1 - beta1^t), v_t / (1 - beta2^t)
    rate_t = lr / (sqrt(v_hat) + eps)
    limit_t = beta3 limit_{t-1} + (1 - beta3) rate_t
    p_t = p_{t-1} (1 - lr weight_decay) - min(rate_t, limit_t) m_hat

Shapes
    p, g, m, v, limit: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2, beta3 < 1.

Choices
    correction: as above ("moments"), or both corrections in the rate, the first one's quotient
    under the limit too, and eps added to the root of v_t itself ("rate": the authors' code).
    decay: before the step as above ("before"), without lr ("unscaled"), or added to the gradient
    ("coupled").

Special cases
    g = 0 from the start leaves p to the decay for eps > 0; with eps = 0 it is 0/0, nan. The first
    limit is (1 - beta3) rate_1: the first step is that much shorter than Adam's. nan in g poisons
    that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m, v and limit by the bounded contract, t exactly.

Sources
    J. Ding et al., "An Adaptive and Momental Bound Method for Stochastic Learning", 2019
    (arXiv:1910.12249), Algorithm 1. The authors' code, lancopku/AdaMod.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Inverse, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "correction": {
        "moments": "moments corrected for their zero start",
        "rate": "corrections of both moments multiply lr, below the limit",
    },
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaMod; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    beta3: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    correction: Literal["moments", "rate"] = "moments"
    decay: Literal["before", "coupled", "unscaled"] = "before"


class State(declared.State):
    """Moments m and v and the limit of rates, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second
    limit: Inverse


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), limit=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        p = p * (1 - h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    left1, left2 = 1 - h.beta1**t, 1 - h.beta2**t
    if h.correction == "moments":
        rate = h.lr / (np.sqrt(v / left2) + h.eps)
        mean = m / left1
    else:
        rate = h.lr * (np.sqrt(left2) / left1) / (np.sqrt(v) + h.eps)
        mean = m
    limit = h.beta3 * s.limit + (1 - h.beta3) * rate
    return State(t=t, m=m, v=v, limit=limit), p - np.minimum(rate, limit) * mean
