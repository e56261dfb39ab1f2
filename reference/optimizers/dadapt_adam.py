"""Adam with D-Adaptation, which finds its learning rate from its sums (Defazio & Mishchenko 2023).

Over 120 lines: the estimate of the distance, and the libraries' choices.

Rule
    g_t = -g when maximizing, else g;  beta3 = sqrt(beta2);  l = lr d_t
    r_t = beta3 r_{t-1} + (1 - beta3) l <g_t, s_{t-1} / (sqrt(v_{t-1}) + eps)>
    m_t = beta1 m_{t-1} + (1 - beta1) l g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    s_t = beta3 s_{t-1} + (1 - beta3) l g_t
    d_{t+1} = max(d_t, r_t / ((1 - beta3) |s_t|_1))
    p_t = p_{t-1} (1 - l weight_decay) - m_t / (sqrt(v_t) + eps)

Shapes
    p, g, m, v, s: one shape, any rank, 0-d and empty included. r, d: 0-d. One estimate serves all
    tensors of a model: p is their elements, flattened and joined. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1 < 1; 0 < beta2 < 1; d0 > 0; growth_rate >= 1.

Choices
    The product of g_t and s_{t-1} is weighed by the second moment before the step, as in all code.
    bias_correction: "none", or sqrt(1 - beta2^t) / (1 - beta1^t) on l wherever it stands ("rate":
    an option of the authors' code, always in optax).
    decay: "before" as above (decouple, AdamW), "in_step" where it is added to the step (optax),
    "before" but for its rounding, added to the gradient ("coupled"), or without l ("unscaled", the
    fixed_decay of pytorch-optimizer).
    growth: "unlimited", or d_{t+1} <= growth_rate d_t ("limited").
    guard: a step where s is still zero, as after zero gradients alone, leaves p, d and r as they
    are ("skip", the authors'); optax divides 0 by 0 ("none").
    nan_estimate: an estimate of nan is "taken", and the next step is nan with it, or "ignored",
    as by Python's max(d, nan), which is d (dadaptation, pytorch-optimizer).

Special cases
    At t = 1 s_0 = 0 and so r = 0 and d_2 = d_0. g = 0 from the start leaves p as it is ("skip"), or
    makes d nan. With eps = 0 the first step is 0/0, nan. nan in g makes d nan, and with the next
    step p. Empty tensors stay empty and advance t.

Judged
    p, m, v, s, r and d by the bounded contract, t exactly.

Sources
    A. Defazio, K. Mishchenko, "Learning-Rate-Free Learning by D-Adaptation", ICML 2023
    (arXiv:2301.07733), Adam with D-Adaptation; the authors' dadaptation 3.2, DAdaptAdam. optax
    0.2.8, contrib.dadapt_adamw; pytorch-optimizer 4.1.
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
        "in_step": "weight decay, multiplied by lr and d, in one sum with the step",
        "unscaled": "weight decay, not multiplied by lr and d, before the step",
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
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adam with D-Adaptation; the defaults of the numbers are the authors'."""

    lr: RateFactor = 1.0
    beta1: Beta = 0.9
    beta2: Annotated[float, Real(0.0, 1.0, "both", (0.999, 0.9, 0.99, 0.95, 0.5))] = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    d0: Above = 1e-6
    growth_rate: Annotated[float, Real(1.0, usual=(1.02, 1.3, 2.0), edges=(1.0,))] = 1.02
    maximize: Switch = False
    bias_correction: Literal["none", "rate"] = "none"
    decay: Literal["before", "coupled", "in_step", "unscaled"] = "before"
    growth: Literal["unlimited", "limited"] = "unlimited"
    guard: Literal["skip", "none"] = "skip"
    nan_estimate: Literal["taken", "ignored"] = "taken"


class State(declared.State):
    """Moments m and v, sum s, sum r of products, estimate d, and the counter t."""

    t: int
    m: First
    v: Second
    s: First
    r: Curvature
    d: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero sums, d = d0, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, m=zeros, v=zeros, s=zeros, r=np.zeros(()), d=np.asarray(h.d0))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.m, s.v, s.s, s.r, s.d), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    rate, beta3 = h.lr * s.d, np.sqrt(h.beta2)
    if h.bias_correction == "rate":
        rate = rate * (np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t))
    product = np.sum(g * (s.s / (np.sqrt(s.v) + h.eps)))
    m = h.beta1 * s.m + (1 - h.beta1) * (rate * g)
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    total = beta3 * s.s + (1 - beta3) * (rate * g)
    r = beta3 * s.r + (1 - beta3) * (rate * product)
    size = np.sum(np.abs(total))
    still = (size == 0) & (h.guard == "skip")
    estimate = r / ((1 - beta3) * np.where(still, 1.0, size))
    if h.nan_estimate == "ignored":
        estimate = np.where(np.isnan(estimate), s.d, estimate)
    if h.growth == "limited":
        estimate = np.minimum(estimate, s.d * h.growth_rate)
    d = np.where(still, s.d, np.maximum(s.d, estimate))
    u = m / (np.sqrt(v) + h.eps)
    if h.decay == "before":
        moved = p * (1 - rate * h.weight_decay) - u
    elif h.decay == "in_step":
        moved = p - (h.weight_decay * rate * p + u)
    else:
        moved = (p * (1 - h.weight_decay) if h.decay == "unscaled" else p) - u
    return State(t, m, v, total, np.where(still, s.r, r), d), np.where(still, p, moved)
