"""ACProp, AdaBelief whose divisor is a step late (Zhuang et al. 2021).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) (g_t - m_t)^2 + eps
    v_hat_{t-1} = v_{t-1} / (1 - beta2^(t-1)), and 1 in the first step
    p_t = p_{t-1} - lr (g_t / (sqrt(v_hat_{t-1}) + eps) + weight_decay p_{t-1})

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The paper leaves the first divisor open; optax has 1. eps stands in both places, for which optax
    has two numbers. deviation: that from the mean with this gradient ("new"), or from the mean
    before ("old": optax, whose documentation says the other). decay: the paper knows none.

Special cases
    One gradient again and again makes v fall towards eps / (1 - beta2): steps grow. A gradient of
    zero moves nothing but for the decay. With eps = 0 and v = 0 a zero gradient is 0/0, nan, from
    the second step on. nan in g poisons that element for ever. Empty tensors stay empty.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    J. Zhuang et al., "Momentum Centering and Asynchronous Update for Adaptive Gradient Methods",
    NeurIPS 2021 (arXiv:2110.05454), Algorithm 2. optax.contrib.acprop's documentation for decay.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "deviation": {
        "new": "deviation from the mean that the gradient is part of",
        "old": Departure("deviation from the mean before the step"),
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of ACProp; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    deviation: Literal["new", "old"] = "new"


class State(declared.State):
    """Mean m and deviation v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    surprise = g - (m if h.deviation == "new" else s.m)
    v = h.beta2 * s.v + (1 - h.beta2) * (surprise * surprise) + h.eps
    if s.t == 0:
        update = g / (1 + h.eps)
    else:
        update = g / (np.sqrt(s.v / (1 - h.beta2**s.t)) + h.eps)
    return State(t=s.t + 1, m=m, v=v), p - h.lr * (update + h.weight_decay * p)
