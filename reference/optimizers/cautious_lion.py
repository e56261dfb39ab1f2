"""Cautious Lion: Lion's step where it agrees with the gradient (Liang et al. 2024).

Rule
    g_t = -g when maximizing, else g
    u_t = sign(beta1 m_{t-1} + (1 - beta1) g_t)
    k_t = 1 where u_t g_t > 0, else 0;  scale_t = n / (sum(k_t) + 1) of all n elements of the tensor
    p_t = p_{t-1} (1 - lr weight_decay) - lr scale_t k_t u_t
    m_t = beta2 m_{t-1} + (1 - beta2) g_t

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    scale: the paper's n / (sum(k) + 1) ("plus_one": also pytorch-optimizer), or 1 / max(mean(k),
    1e-3) of its authors' code ("mean"). decay: of p ahead of the step ("before"), in the gradient
    ("coupled"), or without lr ("unscaled") (pytorch-optimizer).
    nan_sign: the sign of nan is nan, as in NumPy and JAX ("nan"), or zero, as in torch ("zero").

Special cases
    g = 0 leaves p to the decay, whatever m is. nan in g poisons that element of m for ever; it
    counts as one that disagrees. Empty tensors stay empty and advance t.

Judged
    m by the bounded contract; p by it where every sign is decided, else any of their outcomes; t
    exactly.

Sources
    K. Liang, L. Chen, B. Liu, Q. Liu, "Cautious Optimizers: Improving Training with One Line of
    Code", 2024 (arXiv:2411.16085), Algorithm 2; the authors' c_lion.py.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, First, Rate, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Its scale counts the elements of the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
    "scale": {
        "plus_one": "elements over those that agree and one",
        "mean": "divided by the share of elements that agree, at least 1e-3",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of cautious Lion; the defaults are the authors'."""

    lr: Rate = 1e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.99
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    nan_sign: Literal["nan", "zero"] = "nan"
    scale: Literal["plus_one", "mean"] = "plus_one"


class State(declared.State):
    """Momentum m, shaped like p, and the number t of steps made."""

    t: int
    m: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero momentum shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p))


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
    c = h.beta1 * s.m + (1 - h.beta1) * g
    u = np.sign(np.where(np.isnan(c), 0.0, c) if h.nan_sign == "zero" else c)
    agrees = np.where(u * g > 0, np.ones_like(p), 0.0)
    count = np.sum(agrees)
    if h.scale == "plus_one":
        scale = p.size / (count + 1)
    else:
        scale = 1 / np.maximum(count / max(p.size, 1), 1e-3)
    m = h.beta2 * s.m + (1 - h.beta2) * g
    return State(t=t, m=m), p - h.lr * (scale * agrees * u)
