"""NovoGrad, momentum of gradients that are normalized layer by layer (Ginsburg et al. 2019).

Rule
    g_t = -g when maximizing, else g
    v_1 = |g_1|^2;  v_t = beta2 v_{t-1} + (1 - beta2) |g_t|^2
    u_t = g_t / (sqrt(v_t) + eps) + weight_decay p_{t-1}
    m_1 = u_1;  m_t = beta1 m_{t-1} + u_t
    p_t = p_{t-1} - lr m_t

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. v: 0-d, of the whole tensor. t: the number
    of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    form: the momentum sums ("sum"), or averages: m_t = beta1 m + (1 - beta1) u_t, from the first
    step on ("average", torch_optimizer) or from the second ("average_later", pytorch-optimizer).
    decay: in the momentum as above ("in_momentum"), or p shrunk by lr weight_decay ("before") or
    weight_decay ("unscaled") first (pytorch-optimizer).
    start: v is the first square at t = 1 ("first"), or wherever it is still zero ("while_zero",
    NVIDIA and torch_optimizer).

Special cases
    g = 0 from the start leaves p to the decay alone; with eps = 0 it is 0/0, nan. nan or inf in one
    element of g makes all of them nan. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    B. Ginsburg et al., "Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training
    of Deep Networks" (arXiv:1905.11286), Algorithm 1. NVIDIA DeepLearningExamples, Jasper's
    optimizers.py.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, Rate, Second, Step, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Its norm is that of the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "in_momentum": "weight decay added to the normalized gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "form": {
        "sum": "normalized gradients summed",
        "average": "normalized gradients averaged",
        "average_later": "normalized gradients averaged from the second on",
    },
    "start": {
        "first": "second moment starts with the first gradient",
        "while_zero": "second moment starts with the first gradient that is not zero",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of NovoGrad; the defaults are the paper's."""

    lr: Rate = 1e-2
    beta1: Beta = 0.95
    beta2: Beta = 0.98
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["in_momentum", "before", "unscaled"] = "in_momentum"
    form: Literal["sum", "average", "average_later"] = "sum"
    start: Literal["first", "while_zero"] = "first"


class State(declared.State):
    """Momentum m, shaped like p, the tensor's moment v, 0-d, and the number t of steps made."""

    t: int
    m: Step
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros(()))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    square = np.sum(g * g)
    v = h.beta2 * s.v + (1 - h.beta2) * square
    if h.start == "while_zero":
        v = np.where(s.v == 0, square, v)
    elif t == 1:
        v = square
    u = g / (np.sqrt(v) + h.eps)
    if h.decay == "in_momentum":
        u = u + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        p = p * (1 - h.weight_decay)
    first = t == 1 and h.form != "average"
    m = u if first else h.beta1 * s.m + (u if h.form == "sum" else (1 - h.beta1) * u)
    return State(t=t, m=m, v=v), p - h.lr * m
