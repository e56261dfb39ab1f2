"""diffGrad: Adam slowed down where the gradient does not change (Dubey et al. 2020).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    friction_t = 1 / (1 + exp(-|g_{t-1} - g_t|)),  g_0 = 0
    m_hat = m_t / (1 - beta1^t)
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - lr friction_t m_hat / (sqrt(v_hat) + eps)

Shapes
    p, g, m, v, previous: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    eps_placement: added to the root of the corrected moment ("outside"), or to that of the moment
    before its correction ("before_correction", the authors' code and all libraries).
    decay: added to the gradient ("coupled"), or p is shrunk by lr weight_decay ("before") or
    weight_decay ("unscaled") first (pytorch-optimizer). The rectified form and that with the
    largest v are left out.

Special cases
    One gradient again and again halves Adam's step. g = 0 from the start leaves p as it is, or with
    eps = 0 makes it nan. nan in g poisons that element for ever. Empty tensors stay empty.

Judged
    All tensors by the bounded contract, t exactly.

Sources
    S. R. Dubey et al., "diffGrad: An Optimization Method for Convolutional Neural Networks", IEEE
    TNNLS 2020 (arXiv:1909.11015), Algorithm 1; the authors' diffgrad.py.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of diffGrad; the defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"
    eps_placement: Literal["outside", "before_correction"] = "outside"


class State(declared.State):
    """Moments m, v and the previous gradient, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second
    previous: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), previous=np.zeros_like(p))


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
    friction = 1 / (1 + np.exp(-np.abs(s.previous - g)))
    if h.eps_placement == "outside":
        update = m / (1 - h.beta1**t) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps)
    else:
        corrected = np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t)
        update = corrected * (m / (np.sqrt(v) + h.eps))
    return State(t=t, m=m, v=v, previous=g), p - h.lr * (friction * update)
