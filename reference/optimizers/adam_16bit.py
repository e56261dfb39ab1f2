"""Adam for 16-bit training, with a floor inside the root that a half can hold (Yun 2023).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_hat = m_t / (1 - beta1^t)
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - lr m_hat / sqrt(max(v_hat, eps))

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The rule answers a fault of Adam in float16: eps = 1e-8 rounds to 0, g^2 to 0 for |g| below
    1.7e-4, and the step to infinity. Here the root is at least sqrt(eps), 1e-2 with the default
    eps: what the steps of small gradients are divided by, not a guard against zero.
    The floor is of v_hat, not of its root as in AdamW's "floor" dialect; floor_placement says
    which. The paper has no weight decay.

Special cases
    g = 0 from the start leaves p as it is; with eps = 0 it is 0/0, nan. nan in g poisons that
    element for ever; inf gives m = +-inf, v = inf and p = nan. Empty tensors stay empty and advance
    t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    J. Yun, "Stabilizing Backpropagation in 16-bit Neural Training with Modified Adam Optimizer",
    arXiv:2307.16189 (2023); its equation was taken from a third party's port, not from the paper.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "floor_placement": {
        "inside": "eps as a floor of the corrected second moment",
        "outside": "eps as a floor of its root",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adam for 16 bits; the defaults are those of its port to Julia."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-4
    maximize: Switch = False
    floor_placement: Literal["inside", "outside"] = "inside"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    m_hat = m / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    if h.floor_placement == "inside":
        root = np.sqrt(np.maximum(v_hat, h.eps))
    else:
        root = np.maximum(np.sqrt(v_hat), h.eps)
    return State(t=t, m=m, v=v), p - h.lr * m_hat / root
