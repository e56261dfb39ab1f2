"""AdaBound: Adam whose rates are clipped between bounds that meet (Luo et al. 2019).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    low_t = final_lr (1 - 1 / (gamma t + 1)),  high_t = final_lr (1 + 1 / (gamma t))
    rate_t = clip(lr sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v_t) + eps), low_t, high_t)
    p_t = p_{t-1} - rate_t m_t

Shapes
    p, g, m, v, v_max: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, final_lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; gamma > 0.

Choices
    The paper has no corrections for the zero start, and a factor 1 / sqrt(t) on the rate; its
    authors' code, which all libraries follow, is the rule above. There final_lr is multiplied by
    lr over the first lr, so that a schedule moves the bounds too. maximum: AMSBound divides by the
    largest v so far ("kept"). decay: added to the gradient ("coupled"), or p is shrunk by lr
    weight_decay ("before") or weight_decay ("unscaled") first (pytorch-optimizer).

Special cases
    g = 0 from the start leaves p as it is, also with eps = 0, where the rate is clipped from
    infinity. nan in g poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    All tensors by the bounded contract, t exactly.

Sources
    L. Luo, Y. Xiong, Y. Liu, X. Sun, "Adaptive Gradient Methods with Dynamic Bound of Learning
    Rate", ICLR 2019 (arXiv:1902.09843), Algorithms 2 and 3; the authors' adabound.py.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Real, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "maximum": {
        "none": "divided by the second moment",
        "kept": "divided by the largest second moment so far",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaBound; the defaults are the authors'."""

    lr: Rate = 1e-3
    final_lr: Annotated[float, Real(0.0, usual=(0.1, 1e-3, 1.0), edges=(0.0,))] = 0.1
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    gamma: Annotated[float, Real(0.0, open="low", usual=(1e-3, 0.1, 1.0))] = 1e-3
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"
    maximum: Literal["none", "kept"] = "none"


class State(declared.State):
    """Moments m, v and the largest v, v_max, shaped like p; the number t of steps made.

    v_max stays zero without its dialect.
    """

    t: int
    m: First
    v: Second
    v_max: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), v_max=np.zeros_like(p))


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
    v_max = np.maximum(s.v_max, v) if h.maximum == "kept" else s.v_max
    low = h.final_lr * (1 - 1 / (h.gamma * t + 1))
    high = h.final_lr * (1 + 1 / (h.gamma * t))
    lr = h.lr * (np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t))
    rate = lr / (np.sqrt(v_max if h.maximum == "kept" else v) + h.eps)
    return State(t=t, m=m, v=v, v_max=v_max), p - np.clip(rate, low, high) * m
