"""EXAdam, Adam whose moments correct each other, with the gradient besides (Adly 2024).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    d1 = 1 + beta2^t v_t / (v_t + eps)
    d2 = 1 + beta1^t m_t^2 / (m_t^2 + eps)
    m_hat = d1 m_t / (1 - beta1^t);  v_hat = d2 v_t / (1 - beta2^t)
    g_hat = d1 g_t / (1 - beta1^t)
    lr_t = lr log(sqrt(2) sqrt(t + 1))
    p_t = p_{t-1} - lr_t (m_hat + g_hat) / (sqrt(v_hat) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    rate: the paper's, which grows with the logarithm of the count ("logarithmic"), or lr itself
    ("plain": pytorch-optimizer). decay: p shrunk first by lr weight_decay ("before") or
    weight_decay ("unscaled"), or the decay added to the gradient ("coupled"); the paper has none.

Special cases
    g = 0 from the start leaves p as it is for eps > 0; with eps = 0 it is 0/0, nan. nan in g
    poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    A. M. Adly, "EXAdam: The Power of Adaptive Cross-Moments", 2024 (arXiv:2412.20302),
    Algorithm 1. pytorch-optimizer for weight_decay and the rate without a logarithm.
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
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "rate": {"logarithmic": "lr grows with the logarithm of the count", "plain": "lr as it is"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of EXAdam; the defaults are the paper's."""

    lr: Rate = 1e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    rate: Literal["logarithmic", "plain"] = "logarithmic"


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
    square = m * m
    d1 = 1 + h.beta2**t * (v / (v + h.eps))
    d2 = 1 + h.beta1**t * (square / (square + h.eps))
    mean = d1 * (m / (1 - h.beta1**t)) + d1 * (g / (1 - h.beta1**t))
    root = np.sqrt(d2 * (v / (1 - h.beta2**t))) + h.eps
    lr = h.lr * (np.log(2 * (t + 1)) / 2) if h.rate == "logarithmic" else h.lr
    return State(t=t, m=m, v=v), p - lr * (mean / root)
