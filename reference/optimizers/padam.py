"""Padam, Adam with a power of its moment between none and the root (Chen et al. 2018).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    v_max = max(v_max, v_t)
    p_t = p_{t-1} - lr m_t / (sqrt(v_max) + eps)^(2 partial)

Shapes
    p, g, m, v, v_max: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; 0 <= partial <= 1/2.

Choices
    The paper's analysis has no eps; it stands where the authors' code adds it.
    bias_correction: none ("none", the paper), or lr times sqrt(1 - beta2^t) / (1 - beta1^t),
    whatever partial is ("rate": the authors' code and pytorch-optimizer). decay: added to the
    gradient ("coupled"), or p shrunk by lr weight_decay ("before") or weight_decay ("unscaled")
    first. maximum: the largest v divides ("kept"), or the last ("none": pytorch-optimizer).

Special cases
    partial = 0 is momentum, partial = 1/2 AMSGrad. g = 0 from the start leaves p as it is for
    eps > 0; with eps = 0 it is 0/0, nan, but for partial = 0. nan in g poisons that element for
    ever. Empty tensors stay empty and advance t.

Judged
    p, m, v and v_max by the bounded contract, t exactly.

Sources
    J. Chen et al., "Closing the Generalization Gap of Adaptive Gradient Methods in Training Deep
    Neural Networks", IJCAI 2020 (arXiv:1806.06763), Algorithm 1. The authors' code, uclaml/Padam.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Real, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "bias_correction": {
        "none": "moments not corrected for their zero start",
        "rate": "Adam's corrections of both moments multiply lr",
    },
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "maximum": {
        "kept": "the largest second moment divides",
        "none": "the last second moment divides",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Padam; the defaults are the paper's."""

    lr: Rate = 0.1
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    partial: Annotated[float, Real(0.0, 0.5, usual=(0.125, 0.25, 0.3, 0.5), edges=(0.0,))] = 0.125
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    bias_correction: Literal["none", "rate"] = "none"
    decay: Literal["coupled", "before", "unscaled"] = "coupled"
    maximum: Literal["kept", "none"] = "kept"


class State(declared.State):
    """Moments m and v and the largest v, shaped like p, and the number t of steps made."""

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
    lr = h.lr
    if h.bias_correction == "rate":
        lr = h.lr * (np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t))
    root = np.sqrt(v_max if h.maximum == "kept" else v) + h.eps
    return State(t=t, m=m, v=v, v_max=v_max), p - lr * (m / root ** (2 * h.partial))
