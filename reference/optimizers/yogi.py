"""Yogi, Adam whose second moment changes by the square alone (Zaheer et al. 2018).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = v_{t-1} - (1 - beta2) sign(v_{t-1} - g_t^2) g_t^2
    p_t = p_{t-1} - lr m_t / (sqrt(v_t) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay, initial >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    bias_correction: the paper has none ("none"); all libraries divide both moments by what their
    weights sum to ("both"), as for a start at zero. start: v starts at initial ("second"), or, in
    TensorFlow Addons and after it everywhere, m too ("both").
    decay: the paper knows none. Libraries add it to the gradient ("coupled"), or shrink p by lr
    weight_decay ("before") or weight_decay ("unscaled") first (pytorch-optimizer).

Special cases
    g = 0 leaves v as it is, where Adam's falls. nan in g poisons that element's m, v and p for
    ever; inf gives p = nan. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, either sign of v - g^2 where rounding decides it; t exactly.

Sources
    M. Zaheer, S. Reddi, D. Sachan, S. Kale, S. Kumar, "Adaptive Methods for Nonconvex
    Optimization", NeurIPS 2018, Algorithm 2. TensorFlow Addons, optimizers/yogi.py.
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
        "both": "both moments corrected for their zero start",
    },
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "start": {"second": "second moment starts at initial", "both": "both moments start at initial"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of Yogi; the numbers' defaults are TensorFlow Addons', but for initial."""

    lr: Rate = 1e-2
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-3
    weight_decay: Decay = 0.0
    initial: Annotated[float, Real(0.0, usual=(0.0, 1e-6, 0.1))] = 0.0
    maximize: Switch = False
    bias_correction: Literal["none", "both"] = "none"
    decay: Literal["coupled", "before", "unscaled"] = "coupled"
    start: Literal["second", "both"] = "second"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: v, or both moments, at initial; t = 0."""
    v = np.zeros_like(p) + h.initial
    return State(t=0, m=v if h.start == "both" else np.zeros_like(p), v=v)


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
    square = g * g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = s.v - (1 - h.beta2) * np.sign(s.v - square) * square
    if h.bias_correction == "both":
        update = m / (1 - h.beta1**t) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps)
    else:
        update = m / (np.sqrt(v) + h.eps)
    return State(t=t, m=m, v=v), p - h.lr * update
