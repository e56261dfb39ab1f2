"""AdaNorm, Adam on gradients that are never shorter than they were on average (Dubey et al. 2022).

Rule
    g_t = -g when maximizing, else g
    p shrinks by lr weight_decay
    e_t = r e_{t-1} + (1 - r) |g_t|, of norms
    s_t = (e_t / |g_t|) g_t where e_t exceeds |g_t|, else g_t
    m_t = beta1 m_{t-1} + (1 - beta1) s_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    p_t = p - lr m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. e: 0-d, of the whole tensor. t: the
    number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; 0 <= r < 1.

Choices
    decay: p shrunk first by lr weight_decay ("before") or weight_decay ("unscaled"), or the decay
    added to the gradient ("coupled"). The paper has none. eps: added to the root of the corrected
    moment ("outside"), or before the correction ("before_correction": pytorch-optimizer).

Special cases
    r = 0 is Adam. g = 0 leaves s = 0, whatever e is. nan or inf in one element of g makes e nan or
    inf; a nan norm leaves the gradient as it is. Empty tensors stay empty and advance t.

Judged
    p, m, v and e by the bounded contract, t exactly.

Sources
    S. R. Dubey, S. K. Singh, B. B. Chaudhuri, "AdaNorm: Adaptive Gradient Norm Correction based
    Optimizer for CNNs", WACV 2023 (arXiv:2210.06364), Algorithm 2. The authors' code,
    shivram1987/AdaNorm.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Size, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One norm serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaNorm; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    r: Beta = 0.95
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    eps_placement: Literal["outside", "before_correction"] = "outside"


class State(declared.State):
    """Moments m and v, shaped like p, the average norm e, and the number t of steps made."""

    t: int
    m: First
    v: Second
    e: Size


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), e=np.zeros(()))


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
    norm = np.sqrt(np.sum(g * g))
    e = h.r * s.e + (1 - h.r) * norm
    longer = np.where(norm > 0, np.where(e > norm, e / np.where(norm > 0, norm, 1.0), 1.0), 1.0)
    m = h.beta1 * s.m + (1 - h.beta1) * (longer * g)
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    if h.eps_placement == "outside":
        root = np.sqrt(v / (1 - h.beta2**t)) + h.eps
    else:
        root = (np.sqrt(v) + h.eps) / np.sqrt(1 - h.beta2**t)
    return State(t=t, m=m, v=v, e=e), p - h.lr * (m / (1 - h.beta1**t) / root)
