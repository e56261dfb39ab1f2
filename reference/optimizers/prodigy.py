"""Prodigy, Adam that finds its learning rate from the way travelled (Mishchenko & Defazio 2023).

Over 120 lines: the estimate of the distance, and the libraries' choices.

Rule
    g_t = -g when maximizing, else g;  beta3 = sqrt(beta2)
    m_t = beta1 m_{t-1} + (1 - beta1) d_t g_t
    v_t = beta2 v_{t-1} + (1 - beta2) d_t^2 g_t^2
    r_t = beta3 r_{t-1} + (1 - beta3) lr d_t^2 <g_t, p_0 - p_{t-1}>
    s_t = beta3 s_{t-1} + (1 - beta3) lr d_t^2 g_t
    d_{t+1} = max(d_t, d_coef r_t / |s_t|_1)
    p_t = p_{t-1} (1 - lr d_t weight_decay) - lr d_t m_t / (sqrt(v_t) + d_t eps)

Shapes
    p, g, m, v, s, p0: one shape, any rank, 0-d and empty included. r, d, d_max: 0-d. One estimate
    serves all tensors of a model: p is their elements, flattened and joined. t: the number of steps
    made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; d0, d_coef > 0; growth_rate
    >= 1.

Choices
    weights: the paper's r and s are averages ("averaged"); the authors' code divides by d0 in the
    place of multiplying by 1 - beta3 ("over_d0"), which leaves d alone. There safeguard
    ("safeguard", its safeguard_warmup) takes lr, and with it the warm-up, out of s.
    bias_correction: "none", or sqrt(1 - beta2^t) / (1 - beta1^t) on lr wherever lr stands ("rate":
    an option of the authors' code, always in optax).
    decay: "before" as above, or added to the gradient ("coupled", decouple = False).
    eps_scale: d_t eps in the paper ("old"), d_{t+1} eps in all code ("new").
    growth: "unlimited", or d_{t+1} <= growth_rate d_t ("limited"): the estimate is then kept in
    d_max.
    guard: a step where s is still zero, as after zero gradients alone, leaves p as it is ("skip",
    prodigyopt, which does not count it either); optax divides 0 by 0 ("none"). At d = d_0
    prodigyopt takes the first estimate at once, before the limit of growth.
    nan_estimate: an estimate of nan is "taken", and all becomes nan with it, or "ignored", as
    by Python's max(d, nan), which is d (prodigyopt, pytorch-optimizer).
    A beta3 of its own, groups of other rates and slices of p are left out.

Special cases
    At t = 1 p = p_0 and so r = 0 and d_2 = d_0. g = 0 from the start leaves p as it is ("skip"), or
    makes it nan. nan in g makes d and so every element of p nan. Empty tensors stay empty and
    advance t.

Judged
    p, m, v, s, r, d and d_max by the bounded contract, p0 and t exactly.

Sources
    K. Mishchenko, A. Defazio, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", ICML
    2024 (arXiv:2306.06101), the Adam version. The authors' prodigyopt 1.1.2.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Above,
    Beta,
    Curvature,
    Decay,
    Epsilon,
    First,
    Number,
    Point,
    RateFactor,
    Real,
    Second,
    Switch,
)
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One estimate of the distance serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "bias_correction": {
        "none": "moments not corrected for their zero start",
        "rate": "corrections of both moments multiply lr",
    },
    "decay": {
        "before": "weight decay, multiplied by lr and d, before the step",
        "coupled": "weight decay added to the gradient",
    },
    "eps_scale": {
        "old": "eps multiplied by the estimate before the step",
        "new": "eps multiplied by the estimate after the step",
    },
    "growth": {
        "unlimited": "estimate free to grow",
        "limited": "estimate grows by at most growth_rate",
    },
    "guard": {
        "skip": "no step while all gradients were zero",
        "none": Departure("zero gradients divided by zero"),
    },
    "nan_estimate": {
        "taken": "an estimate of nan makes everything nan",
        "ignored": Departure("an estimate of nan leaves the last one"),
    },
    "weights": {
        "averaged": "distance estimated from averages",
        "over_d0": "distance estimated from sums over d0",
        "safeguard": "distance estimated from sums over d0, the denominator's without lr",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Prodigy; the defaults of the numbers are prodigyopt's."""

    lr: RateFactor = 1.0
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    d0: Above = 1e-6
    d_coef: Above = 1.0
    growth_rate: Annotated[float, Real(1.0, usual=(1.02, 1.3, 2.0), edges=(1.0,))] = 1.02
    maximize: Switch = False
    bias_correction: Literal["none", "rate"] = "none"
    decay: Literal["before", "coupled"] = "before"
    eps_scale: Literal["old", "new"] = "old"
    growth: Literal["unlimited", "limited"] = "unlimited"
    guard: Literal["skip", "none"] = "skip"
    nan_estimate: Literal["taken", "ignored"] = "taken"
    weights: Literal["averaged", "over_d0", "safeguard"] = "averaged"


class State(declared.State):
    """Moments m and v, sum s, start p0, sum r, estimates d and d_max, and the counter t."""

    t: int
    m: First
    v: Second
    s: First
    p0: Point
    r: Curvature
    d: Number
    d_max: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero sums, p0 = p, d = d0, t = 0."""
    zeros, d0 = np.zeros_like(p), np.asarray(h.d0)
    return State(t=0, m=zeros, v=zeros, s=zeros, p0=p, r=np.zeros(()), d=d0, d_max=d0)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.m, s.v, s.s, s.p0, s.r, s.d, s.d_max), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    d, beta3 = s.d, np.sqrt(h.beta2)
    lr = h.lr
    if h.bias_correction == "rate":
        lr = h.lr * (np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t))
    m = h.beta1 * s.m + (1 - h.beta1) * (d * g)
    v = h.beta2 * s.v + (1 - h.beta2) * ((d * g) * (d * g))
    weight = lr * d * d * (1 - beta3 if h.weights == "averaged" else 1 / h.d0)
    r = beta3 * s.r + weight * np.sum(g * (s.p0 - p))
    if h.weights == "safeguard":
        weight = d * d / h.d0
    total = beta3 * s.s + weight * g
    size = np.sum(np.abs(total))
    if h.guard == "skip":
        still = size == 0
        estimate = np.where(still, d, h.d_coef * r / np.where(still, 1.0, size))
    else:
        estimate = h.d_coef * r / size
    if h.nan_estimate == "ignored":
        estimate = np.where(np.isnan(estimate), d, estimate)
    d_max = np.maximum(s.d_max, estimate)
    new_d = d_max
    if h.growth == "limited":
        limit = np.where(d == h.d0, np.maximum(d, estimate), d) * h.growth_rate
        new_d = np.minimum(d_max, limit)
    root = np.sqrt(v) + (new_d if h.eps_scale == "new" else d) * h.eps
    moved = p * (1 - lr * d * h.weight_decay) if h.decay == "before" else p
    if h.guard == "skip":
        moved = np.where(still, p, moved - lr * d * (m / np.where(still, 1.0, root)))
    else:
        moved = moved - lr * d * (m / root)
    return State(t, m, v, total, s.p0, r, new_d, d_max), moved
