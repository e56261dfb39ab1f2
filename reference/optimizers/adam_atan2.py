"""Adam-atan2, Adam whose step is an angle and needs no eps (Everett et al. 2024).

Rule
    g_t = -g when maximizing, else g
    p shrinks by lr weight_decay
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    p_t = p - lr a atan2(m_t / (1 - beta1^t), b sqrt(v_t / (1 - beta2^t)))

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; a, b > 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    decay: p shrunk first by lr weight_decay ("before") or weight_decay ("unscaled"), or by lr
    weight_decay where the step goes towards zero, m p > 0 ("cautious": adam-atan2-pytorch).
    Its cautious steps and its pull towards the first parameter are left out.

Special cases
    g = 0 from the start is atan2(0, 0) = 0 and leaves p to the decay. m and sqrt(v) both infinite
    make an angle of pi / 4. nan in g poisons that element for ever. Empty tensors stay empty and
    advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    K. Everett et al., "Scaling Exponents Across Parameterizations and Optimizers", ICML 2024
    (arXiv:2407.05872), section 4.4 and appendix F. adam-atan2-pytorch 0.4.1 for a, b and decays.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, First, Rate, Second, Switch, Threshold
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "cautious": "weight decay, multiplied by lr, where the step goes towards zero",
        "unscaled": "weight decay not multiplied by lr",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adam-atan2; the defaults are adam-atan2-pytorch's."""

    lr: Rate = 1e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.99
    a: Threshold = 1.27
    b: Threshold = 1.0
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "cautious", "unscaled"] = "before"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def angle(y: Array, x: Array) -> Array:
    """atan2(y, x), x >= 0."""
    quotient = y / np.where((y == 0) & (x == 0), 1.0, x)
    infinite = np.isnan(quotient) & ~np.isnan(y) & ~np.isnan(x)
    return np.where(infinite, np.sign(y) * (np.pi / 4), np.arctan(quotient))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    way = angle(m / (1 - h.beta1**t), h.b * np.sqrt(v / (1 - h.beta2**t)))
    shrunk = p * (1 - (1.0 if h.decay == "unscaled" else h.lr) * h.weight_decay)
    if h.decay == "cautious":
        shrunk = np.where(way * p > 0, shrunk, p)
    return State(t=t, m=m, v=v), shrunk - h.lr * (h.a * way)
