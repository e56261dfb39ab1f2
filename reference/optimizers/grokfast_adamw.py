"""AdamW on gradients whose slow part is amplified, Grokfast-EMA (Lee et al. 2024).

Rule
    g_t = -g when maximizing, else g
    slow_1 = g_1;  slow_t = alpha slow_{t-1} + (1 - alpha) g_t
    f_t = g_t + amplification slow_t
    m_t = beta1 m_{t-1} + (1 - beta1) f_t
    v_t = beta2 v_{t-1} + (1 - beta2) f_t^2
    m_hat, v_hat = m_t / (1 - beta1^t), v_t / (1 - beta2^t)
    p_t = p_{t-1} (1 - lr weight_decay) - lr m_hat / (sqrt(v_hat) + eps)

Shapes
    p, g, slow, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, amplification, eps, weight_decay >= 0 and finite; 0 <= alpha, beta1, beta2 < 1.

Choices
    decay: before the step as above ("before"), or without lr ("unscaled"). eps_placement: added to
    the root ("outside"), or its least value ("floor": pytorch-optimizer). rate: lr as it is
    ("plain"), or divided by 1 + amplification ("normalized": pytorch-optimizer).

Special cases
    g = 0 from the start leaves p to the decay for eps > 0; with eps = 0 it is 0/0, nan. nan in g
    poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, slow, m and v by the bounded contract, t exactly.

Sources
    J. Lee et al., "Grokfast: Accelerated Grokking by Amplifying Slow Gradients", 2024
    (arXiv:2405.20233), Algorithm 2; AdamW's Algorithm 2 beneath it.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Real, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "eps_placement": {"outside": "eps added to the root", "floor": "eps as the least root"},
    "rate": {"plain": "lr as it is", "normalized": "lr divided by 1 + amplification in the step"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of Grokfast with AdamW; the defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.98
    alpha: Beta = 0.98
    amplification: Annotated[float, Real(0.0, usual=(2.0, 5.0, 0.3, 0.0), edges=(0.0,))] = 2.0
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "unscaled"] = "before"
    eps_placement: Literal["outside", "floor"] = "outside"
    rate: Literal["plain", "normalized"] = "plain"


class State(declared.State):
    """Slow part and moments m and v, shaped like p, and the number t of steps made."""

    t: int
    slow: First
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, slow=np.zeros_like(p), m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    lr = h.lr / (1 + h.amplification) if h.rate == "normalized" else h.lr
    p = p * (1 - (lr * h.weight_decay if h.decay == "before" else h.weight_decay))
    slow = g if t == 1 else h.alpha * s.slow + (1 - h.alpha) * g
    f = g + h.amplification * slow
    m = h.beta1 * s.m + (1 - h.beta1) * f
    v = h.beta2 * s.v + (1 - h.beta2) * (f * f)
    root = np.sqrt(v / (1 - h.beta2**t))
    root = root + h.eps if h.eps_placement == "outside" else np.maximum(root, h.eps)
    return State(t=t, slow=slow, m=m, v=v), p - lr * (m / (1 - h.beta1**t) / root)
