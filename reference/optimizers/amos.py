"""Amos, whose decay draws every tensor to the scale that its model expects (Tian & Parikh 2022).

Rule
    g_t = -g when maximizing, else g
    q = mean(g_t^2);  v_t = beta v_{t-1} + (1 - beta) q
    r = (1 - beta^t) / max(v_t, eps)
    c = 1 / sqrt(1 + c_coef sqrt(lr) b_{t-1});  d = 1 / (1 + d_coef sqrt(lr eta) b_{t-1})
    a = c lr^2 r q;  b_t = b_{t-1} + a (1 + b_{t-1})
    u = d (lr eta sqrt(r) g_t + (a / 2 + weight_decay) p_{t-1})
    m_t = momentum m_{t-1} + (1 - momentum) u, where momentum is not 0
    p_t = p_{t-1} - m_t, or p_{t-1} - u without momentum

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. v, b: 0-d, of the whole tensor. t: the
    number of steps made.

Domain
    lr, eta, c_coef, d_coef, eps, weight_decay >= 0 and finite; 0 <= beta, momentum < 1.

Choices
    eta, the scale that is expected of the elements, is the caller's ("given"), or 1/2 for a vector,
    sqrt(2 / columns) for a matrix and 1 / sqrt(second side) beyond ("of_shape": pytorch-optimizer).
    guard: v is at least eps ("floor", the authors' code), or eps is added to it ("added").
    pull: weight_decay shrinks p, as in the authors' code ("whole"), or half of it lets p grow
    ("grows": pytorch-optimizer). The authors may keep v and b by row or by column; here a tensor
    has one of each. Without momentum m stays as it was.

Special cases
    g = 0 from the start leaves p to weight_decay for eps > 0; with eps = 0 it is 0/0, nan. nan in g
    makes v, b and all of p nan for ever. Empty tensors stay empty and advance t.

Judged
    p, m, v and b by the bounded contract, t exactly.

Sources
    R. Tian, A. P. Parikh, "Amos: An Adam-style Optimizer with Adaptive Weight Decay towards
    Model-Oriented Scale", 2022 (arXiv:2210.11693), Algorithm 1. The authors' code,
    google-research/jestimator, jestimator/amos.py. pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Decay,
    Epsilon,
    Momentum,
    Number,
    Rate,
    Real,
    Second,
    Step,
    Switch,
)
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One mean serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "guard": {"floor": "eps is the least second moment", "added": "eps is added to the moment"},
    "pull": {
        "whole": "weight decay shrinks the parameter",
        "grows": Departure("half of the weight decay lets the parameter grow"),
    },
    "scale": {"given": "the expected scale is given", "of_shape": "it follows from the shape"},
}
Coefficient = Annotated[float, Real(0.0, usual=(0.25, 1.0, 0.1, 0.0))]


class Hyper(declared.Hyper):
    """Hyperparameters of Amos; the defaults are the authors'."""

    lr: Rate = 1e-3
    eta: Annotated[float, Real(0.0, usual=(1.0, 0.5, 0.1, 3.0))] = 1.0
    beta: Beta = 0.999
    momentum: Momentum = 0.0
    c_coef: Coefficient = 0.25
    d_coef: Coefficient = 0.25
    eps: Epsilon = 2.0**-125
    weight_decay: Decay = 0.0
    maximize: Switch = False
    guard: Literal["floor", "added"] = "floor"
    pull: Literal["whole", "grows"] = "whole"
    scale: Literal["given", "of_shape"] = "given"


class State(declared.State):
    """The average step m, shaped like p, the numbers v and b, and the number t of steps made."""

    t: int
    m: Step
    v: Second
    b: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros(()), b=np.zeros(()))


def expected(h: Hyper, shape: tuple[int, ...]) -> float:
    """The scale that is expected of the elements of a tensor."""
    if h.scale == "given":
        return h.eta
    return 0.5 if len(shape) < 2 else float(np.sqrt((2 if len(shape) == 2 else 1) / shape[1]))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if not p.size:
        return State(t=t, m=s.m, v=s.v, b=s.b), p
    if h.maximize:
        g = -g
    eta = expected(h, p.shape)
    q = np.mean(g * g)
    v = h.beta * s.v + (1 - h.beta) * q
    r = (1 - h.beta**t) / (np.maximum(v, h.eps) if h.guard == "floor" else v + h.eps)
    c = 1 / np.sqrt(1 + h.c_coef * np.sqrt(h.lr) * s.b)
    d = 1 / (1 + h.d_coef * np.sqrt(h.lr * eta) * s.b)
    a = c * (h.lr * h.lr) * r * q
    b = s.b + a * (1 + s.b)
    drawn = a / 2 + h.weight_decay if h.pull == "whole" else (a - h.weight_decay) / 2
    u = d * (h.lr * eta * (np.sqrt(r) * g) + drawn * p)
    if h.momentum == 0:
        return State(t=t, m=s.m, v=v, b=b), p - u
    m = h.momentum * s.m + (1 - h.momentum) * u
    return State(t=t, m=m, v=v, b=b), p - m
