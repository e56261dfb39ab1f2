"""SGDP, momentum without the part of the step along the parameter (Heo et al. 2021).

Rule
    g_t = -g when maximizing, else g
    b_t = momentum b_{t-1} + (1 - dampening) g_t
    u = g_t + momentum b_t with Nesterov's momentum, else b_t
    where all rows of g and p, or else both as a whole, are nearly orthogonal,
        |cos(g, p)| < delta / sqrt(length):
        u = u - (n . u) n with n = p / (|p| + eps), by row or as a whole, and ratio = wd_ratio
    elsewhere ratio = 1
    p_t = p_{t-1} (1 - lr weight_decay ratio / (1 - momentum)) - lr u

Shapes
    p, g, b: one shape, any rank, 0-d and empty included; vectors and numbers are never projected.
    A row is all that shares the first index. t: the number of steps made.

Domain
    lr, eps, weight_decay, delta >= 0 and finite; 0 <= momentum, wd_ratio < 1; 0 <= dampening <= 1.

Choices
    cosine: divided by the norms, of each the larger of it and eps ("floor", PyTorch's
    cosine_similarity, which the authors' later code calls), or by the norms plus eps ("sum":
    jettify's torch_optimizer). decay: multiplied by lr ("before"), not multiplied ("unscaled"), or
    added to the gradient ("coupled").

Special cases
    p = 0 is orthogonal to everything, and the step is not changed but for its decay. nan in g
    projects nothing. g = 0 from the start leaves p to the decay. Empty tensors stay empty and
    advance t.

Judged
    p and b by the bounded contract, t exactly.

Sources
    B. Heo et al., "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant
    Weights", ICLR 2021 (arXiv:2006.08217), Algorithm 1. The authors' code, clovaai/AdamP.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, First, Momentum, Rate, Real, Switch
from truestep.reference.optimizers.adamp import Delta, Ratio, projected
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Norms of rows and of the whole tensor decide.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "cosine": {
        "floor": "eps as a floor of each norm of the cosine",
        "sum": "eps added to each norm of the cosine",
    },
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of SGDP; the defaults of the numbers are the authors'."""

    lr: Rate = 1e-3
    momentum: Momentum = 0.9
    dampening: Annotated[float, Real(0.0, 1.0, usual=(0.0, 0.1, 0.9), edges=(1.0,))] = 0.0
    delta: Delta = 0.1
    wd_ratio: Ratio = 0.1
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    nesterov: Switch = False
    maximize: Switch = False
    cosine: Literal["floor", "sum"] = "floor"
    decay: Literal["before", "coupled", "unscaled"] = "before"


class State(declared.State):
    """The sum b of gradients, shaped like p, and the number t of steps made."""

    t: int
    b: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: b = 0 shaped like p, t = 0."""
    return State(t=0, b=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    b = h.momentum * s.b + (1 - h.dampening) * g
    u, ratio = projected(h, p, g, g + h.momentum * b if h.nesterov else b)
    ratio = ratio / (1 - h.momentum)
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay * ratio)
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay * ratio)
    return State(t=s.t + 1, b=b), p - h.lr * u
