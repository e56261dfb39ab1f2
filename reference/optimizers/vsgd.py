"""VSGD, which takes a gradient for an observation of the one it estimates (Chen et al. 2024).

Rule
    g_t = -g when maximizing, else g
    p shrinks by lr weight_decay
    z = 2 prior;  k = z + 1.0001;  y = 2 ratio prior
    s, h = z / (k - 1), y / (k - 1) in the first step, b_{t-1} / k, c_{t-1} / k afterwards
    m_t = (s g_t + h m_{t-1}) / (s + h)
    q = m_t^2 + s h / (s + h)
    b_t = (1 - t^-tau1) b_{t-1} + t^-tau1 (z + q - 2 m_t m_{t-1} + m_{t-1}^2)
    c_t = (1 - t^-tau2) c_{t-1} + t^-tau2 (y + q - 2 g_t m_t + g_t^2)
    p_t = p - lr m_t / (sqrt(q) + eps)

Shapes
    p, g, m, b, c: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay, tau1, tau2 >= 0 and finite; prior, ratio > 0.

Choices
    decay: p shrunk first by lr weight_decay ("before"), or the decay added to the gradient
    ("coupled": pytorch-optimizer). Squares of differences are multiplied out, as in the authors'
    code. What b and c begin with has no weight.

Special cases
    g = 0 from the start leaves p to the decay. Rounding may leave b or c below zero where gradients
    hardly change and the prior is weak. nan in g poisons that element for ever. Empty tensors stay
    empty and advance t.

Judged
    p, m, b and c by the bounded contract, t exactly.

Sources
    H. Chen, A. Kuzina, B. Esmaeili, J. M. Tomczak, "Variational Stochastic Gradient Descent for
    Deep Neural Networks", 2024 (arXiv:2404.06549), Algorithm 1. The authors' code,
    generativeai-tue/vsgd, src/vsgd.py, for every line.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, First, Rate, Real, Squares, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
    }
}
Forgetting = Annotated[float, Real(0.0, usual=(0.81, 0.9, 0.5, 1.0), edges=(0.0,))]


class Hyper(declared.Hyper):
    """Hyperparameters of VSGD; the defaults are the authors'."""

    lr: Rate = 0.1
    ratio: Annotated[float, Real(0.0, open="low", usual=(30.0, 1.0, 3.0, 0.3))] = 30.0
    prior: Annotated[float, Real(0.0, open="low", usual=(1e-8, 1e-2, 1.0, 1e-4))] = 1e-8
    tau1: Forgetting = 0.81
    tau2: Forgetting = 0.9
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled"] = "before"


class State(declared.State):
    """The estimate m, twice the rates b and c of its precisions, the number t of steps made."""

    t: int
    m: First
    b: Squares
    c: Squares


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), b=np.zeros_like(p), c=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - h.lr * h.weight_decay)
    z = 2 * h.prior
    y = 2 * h.ratio * h.prior
    k = z + 1 + 1e-4
    own, seen = (s.b / k, s.c / k) if s.t else (z / (k - 1), y / (k - 1))
    m = (own * g + seen * s.m) / (own + seen)
    q = m * m + own * seen / (own + seen)
    rho1, rho2 = t ** (-h.tau1), t ** (-h.tau2)
    b = (1 - rho1) * s.b + rho1 * (z + q - 2 * m * s.m + s.m * s.m)
    c = (1 - rho2) * s.c + rho2 * (y + q - 2 * g * m + g * g)
    return State(t=t, m=m, b=b, c=c), p - h.lr / (np.sqrt(q) + h.eps) * m
