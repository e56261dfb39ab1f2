"""Lion with D-Adaptation, which finds its learning rate from its sums (Defazio et al. 2023).

Over 120 lines: the estimate of the distance, and the libraries' choices.

Rule
    g_t = -g when maximizing, else g;  beta3 = sqrt(beta2);  l = lr d_t
    u_t = sign(beta1 m_{t-1} + (1 - beta1) g_t)
    p_t = p_{t-1} (1 - l weight_decay) - l u_t
    m_t = beta2 m_{t-1} + (1 - beta2) l g_t
    r_t = beta3 r_{t-1} + (1 - beta3) l <u_t, s_{t-1}>
    s_t = beta3 s_{t-1} + (1 - beta3) l u_t
    d_{t+1} = max(d_t, r_t / ((1 - beta3) |s_t|_1))

Shapes
    p, g, m, s: one shape, any rank, 0-d and empty included. r, d: 0-d. One estimate serves all
    tensors of a model: p is their elements, flattened and joined. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= beta1 < 1; 0 < beta2 < 1; d0 > 0.

Choices
    The definition is the authors' code, for no paper has one: gradients are weighed by l in m, and
    not where m meets g_t under the sign.
    decay: "before" as above, added to the gradient ("coupled"), or without l ("unscaled", the
    fixed_decay of pytorch-optimizer).
    nan_sign: as of Lion: nan, or zero as in torch, and with it s, r and d stay numbers.

Special cases
    At t = 1 s_0 = 0 and so r = 0 and d_2 = d_0. g = 0 from the start moves p by the decay alone;
    where s is zero, d stays. nan in g poisons that element of m for ever, and with nan_sign "nan"
    d, and with the next step p. Empty tensors stay empty and advance t.

Judged
    m by the bounded contract; p, s, r and d by it where the signs are decided, else within what
    either sign gives; t exactly.

Sources
    The authors' dadaptation 3.2, DAdaptLion, after A. Defazio, K. Mishchenko, "Learning-Rate-Free
    Learning by D-Adaptation", ICML 2023 (arXiv:2301.07733). pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Above,
    Beta,
    Decay,
    First,
    Number,
    RateFactor,
    Real,
    Step,
    Switch,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One estimate of the distance serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr and d, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay, not multiplied by lr and d, before the step",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of Lion with D-Adaptation; the defaults are those of the authors' code."""

    lr: RateFactor = 1.0
    beta1: Beta = 0.9
    beta2: Annotated[float, Real(0.0, 1.0, "both", (0.99, 0.9, 0.999, 0.95, 0.5))] = 0.99
    weight_decay: Decay = 0.0
    d0: Above = 1e-6
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    nan_sign: Literal["nan", "zero"] = "nan"


class State(declared.State):
    """Momentum m, average s of steps, average r of products, estimate d, and the counter t."""

    t: int
    m: First
    s: Step
    r: Number
    d: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, d = d0, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, m=zeros, s=zeros, r=np.zeros(()), d=np.asarray(h.d0))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.m, s.s, s.r, s.d), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    rate, beta3 = h.lr * s.d, np.sqrt(h.beta2)
    c = h.beta1 * s.m + (1 - h.beta1) * g
    sign = np.sign(c)
    if h.nan_sign == "zero":
        sign = np.where(np.isnan(c), 0.0, sign)
    if h.decay == "before":
        p = p * (1 - rate * h.weight_decay)
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay)
    m = h.beta2 * s.m + (1 - h.beta2) * (rate * g)
    r = beta3 * s.r + (1 - beta3) * (rate * np.sum(sign * s.s))
    total = beta3 * s.s + (1 - beta3) * (rate * sign)
    size = np.sum(np.abs(total))
    none = size == 0
    estimate = r / ((1 - beta3) * np.where(none, 1.0, size))
    d = np.where(none, s.d, np.maximum(s.d, estimate))
    return State(t, m, total, r, d), p - rate * sign
