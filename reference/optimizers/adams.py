"""AdamS, Adam whose decay is measured by the size of all gradients (Xie et al. 2023).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t;  v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_hat = m_t / (1 - beta1^t);  v_hat = v_t / (1 - beta2^t)
    p = p_{t-1} (1 - lr weight_decay / sqrt(mean(v_hat)))
    p_t = p - lr m_hat / (sqrt(v_hat) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. The mean is over the whole tensor. t:
    the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    guard: the root of the mean alone divides the decay ("none"), or with eps added to it ("eps":
    pytorch-optimizer). decay: multiplied by lr ("before") or not ("unscaled"), or added to the
    gradient, and not measured then ("coupled"). The authors take the mean over the whole model: a
    tensor is a model.

Special cases
    Without weight_decay it is Adam. g = 0 from the start divides the decay by zero, or by eps where
    that is added. nan in g makes all of p nan for ever, or without weight_decay its element. Empty
    tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    Z. Xie et al., "On the Overlooked Pitfalls of Weight Decay and How to Mitigate Them: A
    Gradient-Norm Perspective", NeurIPS 2023 (arXiv:2011.11152). The authors' code,
    zeke-xie/stable-weight-decay-regularization, swd_optim/adams.py, for every line.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One mean serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "guard": {
        "none": "the root of the mean divides the decay",
        "eps": "the root of the mean and eps divide the decay",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdamS; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 1e-4
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    guard: Literal["none", "eps"] = "none"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if not p.size:
        return State(t=t, m=s.m, v=s.v), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    m_hat = m / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    if h.decay != "coupled" and h.weight_decay > 0:
        size = np.sqrt(np.mean(v_hat)) + (h.eps if h.guard == "eps" else 0.0)
        p = p * (1 - h.weight_decay * (h.lr if h.decay == "before" else 1.0) / size)
    return State(t=t, m=m, v=v), p - h.lr * (m_hat / (np.sqrt(v_hat) + h.eps))
