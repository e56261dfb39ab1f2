"""MARS, Adam on gradients whose variance is reduced by the one before (Yuan et al. 2024).

Rule
    g_t = -g when maximizing, else g
    p shrinks by lr weight_decay
    c_t = g_t + gamma beta1 / (1 - beta1) (g_t - g_{t-1})
    c_t = c_t / |c_t| where the norm |c_t| exceeds 1
    m_t = beta1 m_{t-1} + (1 - beta1) c_t
    v_t = beta2 v_{t-1} + (1 - beta2) c_t^2
    p_t = p_{t-1} - lr m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + eps)

Shapes
    p, g, m, v, previous: one shape, any rank, 0-d and empty included; previous is g_{t-1}, 0 at
    first. t: the number of steps made.

Domain
    lr, gamma, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The paper's second gradient, of the last point on this batch, is that of the last step: its
    MARS-approx, which is what everybody runs. direction: Adam's ("adam"), or the sign of m
    ("sign", MARS-Lion; v stays as it is). decay: p shrunk by lr weight_decay ("before") or
    weight_decay ("unscaled"). nan_sign: sign(nan) is nan ("nan"), or 0 ("zero", PyTorch).
    eps: added to the root of the corrected moment ("outside"), or before the correction
    ("before_correction": pytorch-optimizer).

Special cases
    gamma = 0 is AdamW on gradients limited to the norm 1. nan or inf in one element of g makes all
    of them nan. g = 0 from the start leaves p to the decay for eps > 0. Empty tensors stay empty.

Judged
    p, m, v and previous by the bounded contract, t exactly.

Sources
    H. Yuan et al., "MARS: Unleashing the Power of Variance Reduction for Training Large Models",
    ICML 2025 (arXiv:2411.10438), Algorithms 2 and 3. The authors' code, AGI-Arena/MARS.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Real, Step, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One norm limits all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "direction": {
        "adam": "the average over the root of the second moment",
        "sign": "the sign of the average",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
}
# Of gradients that are at most 1 long.
Squares = Annotated[Array, declared.Behaviour(0, nonnegative=True)]


class Hyper(declared.Hyper):
    """Hyperparameters of MARS; the defaults are the authors'."""

    lr: Rate = 3e-3
    beta1: Beta = 0.95
    beta2: Beta = 0.99
    gamma: Annotated[float, Real(0.0, usual=(0.025, 0.3, 1.0), edges=(0.0,))] = 0.025
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "unscaled"] = "before"
    direction: Literal["adam", "sign"] = "adam"
    eps_placement: Literal["outside", "before_correction"] = "outside"
    nan_sign: Literal["nan", "zero"] = "nan"


class State(declared.State):
    """Moments m and v and the gradient before, shaped like p; the number t of steps made."""

    t: int
    m: Step
    v: Squares
    previous: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), previous=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    p = p * (1 - (h.lr * h.weight_decay if h.decay == "before" else h.weight_decay))
    c = g + h.gamma * (h.beta1 / (1 - h.beta1)) * (g - s.previous)
    c = c / np.maximum(np.sqrt(np.sum(c * c)), 1.0)
    m = h.beta1 * s.m + (1 - h.beta1) * c
    if h.direction == "sign":
        u = np.sign(np.where(np.isnan(m), 0.0, m) if h.nan_sign == "zero" else m)
        return State(t=t, m=m, v=s.v, previous=g), p - h.lr * u
    v = h.beta2 * s.v + (1 - h.beta2) * (c * c)
    if h.eps_placement == "outside":
        root = np.sqrt(v / (1 - h.beta2**t)) + h.eps
    else:
        root = (np.sqrt(v) + h.eps) / np.sqrt(1 - h.beta2**t)
    return State(t=t, m=m, v=v, previous=g), p - h.lr * (m / (1 - h.beta1**t) / root)
