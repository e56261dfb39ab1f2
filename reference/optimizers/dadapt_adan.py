"""Adan with D-Adaptation, which finds its learning rate from its sums (Defazio et al. 2023).

Over 120 lines: the estimate of the distance, and the libraries' choices.

Rule
    g_t = -g when maximizing, else g;  d_t = g_t - g_{t-1}, 0 at t = 1;  l = lr D_t
    m_t = beta1 m_{t-1} + (1 - beta1) l g_t
    v_t = beta2 v_{t-1} + (1 - beta2) l d_t
    n_t = beta3 n_{t-1} + (1 - beta3) (g_t + beta2 d_t)^2
    A_t = sqrt(n_t) + eps, by element
    s_t = beta3 s_{t-1} + (1 - beta3) l g_t
    G_t = beta3 G_{t-1} + (1 - beta3) l^2 sum g_t^2 / A_t
    D_{t+1} = max(D_t, (sum s_t^2 / A_t / (1 - beta3) - G_t) / |s_t|_1)
    p_t = (p_{t-1} - (m_t + beta2 v_t) / A_t) / (1 + l weight_decay)

Shapes
    p, g, m, v, n, s, previous: one shape, any rank, 0-d and empty included; previous is g_{t-1}.
    G, d (D above): 0-d. One estimate serves all tensors of a model: p is their elements, flattened
    and joined. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2, beta3 < 1; d0 > 0; growth_rate >= 1.

Choices
    The definition is the authors' code, for no paper has one. Its averages are not corrected for
    their zero start.
    decay: "prox" as above, or p_{t-1} (1 - l weight_decay) first ("before", no_prox).
    difference: the first difference is zero ("zero"), or that of the gradient and itself, which
    is nan where it is not finite ("repeated", all code).
    growth: "unlimited", or D_{t+1} <= growth_rate D_t ("limited").
    nan_estimate: an estimate of nan is "taken", and the next step is nan with it, or "ignored",
    as by Python's max(d, nan), which is d (dadaptation, pytorch-optimizer).

Special cases
    g = 0 from the start: s is zero, and p, d and G are left as they are, without any decay. With
    eps = 0 an element without a gradient is 0/0, nan. nan in g makes d nan, and with the next step
    p. Empty tensors stay empty and advance t.

Judged
    p, m, v, n, s, G and d by the bounded contract, previous too; t exactly.

Sources
    The authors' dadaptation 3.2, DAdaptAdan, after A. Defazio, K. Mishchenko, "Learning-Rate-Free
    Learning by D-Adaptation", ICML 2023 (arXiv:2301.07733), and X. Xie et al., "Adan: Adaptive
    Nesterov Momentum Algorithm for Faster Optimizing Deep Models" (arXiv:2208.06677).
    pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Above,
    Beta,
    Decay,
    Epsilon,
    First,
    Number,
    RateFactor,
    Real,
    Second,
    Size,
    Switch,
)
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One estimate of the distance serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "prox": "weight decay, multiplied by lr and d, divides after the step",
        "before": "weight decay, multiplied by lr and d, before the step",
    },
    "difference": {
        "zero": "the first difference is zero",
        "repeated": "the first difference is that of the first gradient and itself",
    },
    "growth": {
        "unlimited": "estimate free to grow",
        "limited": "estimate grows by at most growth_rate",
    },
    "nan_estimate": {
        "taken": "an estimate of nan makes everything nan",
        "ignored": Departure("an estimate of nan leaves the last one"),
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adan with D-Adaptation; the defaults of the numbers are the authors'."""

    lr: RateFactor = 1.0
    beta1: Beta = 0.98
    beta2: Beta = 0.92
    beta3: Annotated[float, Real(0.0, 1.0, "high", (0.99, 0.9, 0.999, 0.5))] = 0.99
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.02
    d0: Above = 1e-6
    growth_rate: Annotated[float, Real(1.0, usual=(1.02, 1.3, 2.0), edges=(1.0,))] = 1.02
    maximize: Switch = False
    decay: Literal["prox", "before"] = "prox"
    difference: Literal["zero", "repeated"] = "zero"
    growth: Literal["unlimited", "limited"] = "unlimited"
    nan_estimate: Literal["taken", "ignored"] = "taken"


class State(declared.State):
    """Averages m, v, n and s, previous gradient, sum G, estimate d, and the counter t."""

    t: int
    m: First
    v: First
    n: Second
    s: First
    previous: First
    G: Size
    d: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, d = d0, t = 0."""
    zeros = np.zeros_like(p)
    return State(0, zeros, zeros, zeros, zeros, zeros, np.zeros(()), np.asarray(h.d0))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.m, s.v, s.n, s.s, s.previous, s.G, s.d), p
    if h.maximize:
        g = -g
    if t > 1:
        difference = g - s.previous
    else:
        difference = np.zeros_like(g) if h.difference == "zero" else 0.0 * g
    rate, ahead = h.lr * s.d, g + h.beta2 * difference
    m = h.beta1 * s.m + (1 - h.beta1) * (rate * g)
    v = h.beta2 * s.v + (1 - h.beta2) * (rate * difference)
    n = h.beta3 * s.n + (1 - h.beta3) * (ahead * ahead)
    root = np.sqrt(n) + h.eps
    total = h.beta3 * s.s + (1 - h.beta3) * (rate * g)
    squares = h.beta3 * s.G + (1 - h.beta3) * (rate * rate * np.sum(g * g / root))
    size = np.sum(np.abs(total))
    still = size == 0
    estimate = np.sum(total * total / root) / (1 - h.beta3) - squares
    estimate = estimate / np.where(still, 1.0, size)
    if h.nan_estimate == "ignored":
        estimate = np.where(np.isnan(estimate), s.d, estimate)
    if h.growth == "limited":
        estimate = np.minimum(estimate, s.d * h.growth_rate)
    d = np.where(still, s.d, np.maximum(s.d, estimate))
    u = (m + h.beta2 * v) / root
    if h.decay == "prox":
        moved = (p - u) / (1 + rate * h.weight_decay)
    else:
        moved = p * (1 - rate * h.weight_decay) - u
    squares, moved = np.where(still, s.G, squares), np.where(still, p, moved)
    return State(t, m, v, n, total, g, squares, d), moved
