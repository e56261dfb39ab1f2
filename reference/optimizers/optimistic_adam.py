"""Optimistic Adam: Adam's last update taken back once more (Daskalakis et al. 2018).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    u_t = m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + eps);  u_0 = u_1
    p_t = p_{t-1} - lr ((alpha + beta) u_t - beta u_{t-1})

Shapes
    p, g, m, v, previous: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, alpha, beta >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The paper's alpha and beta are 1; beta = 0 is Adam. optax counts the first update as its own
    predecessor, where the paper has zero in its place. momentum: Adam's m_hat ("average"), or
    beta1 m_t / (1 - beta1^(t+1)) + (1 - beta1) g_t / (1 - beta1^t) in its place, as in NAdam
    ("nesterov", optax's default).

Special cases
    g = 0 from the start leaves p as it is, or with eps = 0 makes it nan. nan in g poisons that
    element for ever. Empty tensors stay empty and advance t.

Judged
    All tensors by the bounded contract, t exactly.

Sources
    C. Daskalakis, A. Ilyas, V. Syrgkanis, H. Zeng, "Training GANs with Optimism", ICLR 2018
    (arXiv:1711.00141), Algorithm 1; optax, optimistic_adam_v2.
"""

from typing import Annotated, Literal, TypeAlias

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Epsilon, First, Rate, Real, Second, Step, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

Weight: TypeAlias = Annotated[float, Real(0.0, usual=(1.0, 0.5, 2.0, 0.0), edges=(0.0,))]

FACTS = Facts(elementwise=True)
DIALECTS = {
    "momentum": {
        "average": "the corrected average of gradients divided",
        "nesterov": "the average looks one step ahead",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of optimistic Adam; the defaults are optax's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    alpha: Weight = 1.0
    beta: Weight = 1.0
    maximize: Switch = False
    momentum: Literal["average", "nesterov"] = "average"


class State(declared.State):
    """Moments m, v and the previous update, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second
    previous: Step


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), previous=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    m_hat = m / (1 - h.beta1**t)
    if h.momentum == "nesterov":
        ahead = m / (1 - h.beta1 ** (t + 1))
        m_hat = h.beta1 * ahead + (1 - h.beta1) / (1 - h.beta1**t) * g
    u = m_hat / (np.sqrt(v / (1 - h.beta2**t)) + h.eps)
    previous = u if t == 1 else s.previous
    update = (h.alpha + h.beta) * u - h.beta * previous
    return State(t=t, m=m, v=v, previous=u), p - h.lr * update
