"""Aida, AdaBelief on a gradient and an average that are projected on each other (Zhang 2023).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    x, y = g_t, m_t;  k times over
        x, y = (x.y / (|x|^2 + xi)) x, (x.y / (|y|^2 + xi)) y, with xi = 1e-20
    v_t = beta2 v_{t-1} + (1 - beta2) (y - x)^2 + eps
    p_t = p_{t-1} - lr / (1 - beta1^t) m_t / (sqrt(v_t) / sqrt(1 - beta2^t))

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. Products are over the whole tensor. t:
    the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; k an integer >= 0; 0 <= beta1, beta2 < 1.

Choices
    eps is kept in v, step after step. root: of v as it is ("bare", the authors' code), or of v +
    1e-15, with eps added once more ("guarded": pytorch-optimizer). decay: added to the gradient
    ("coupled", the authors' code), or p shrunk first by lr weight_decay ("before") or weight_decay
    ("unscaled").

Special cases
    k = 0 is AdaBelief, its difference from the new average. A gradient along its average makes x
    and y change places. g = 0 from the start leaves p for eps > 0; with eps = 0 it is 0/0, nan. nan
    in g makes all of p, and of v for ever, nan. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    G. Zhang, K. Niwa, W. B. Kleijn, "On Exploiting Layerwise Gradient Statistics for Effective
    Training of Deep Neural Networks", 2022 (arXiv:2203.13273). The authors' code,
    guoqiang-zhang-x/Aida-Optimizer, Aida.py, for every line. pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Count, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One product serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "root": {
        "bare": "the root of the second moment as it is kept",
        "guarded": "the root of it and 1e-15, and eps besides",
    },
}
# Beside squares that divide, the authors' number.
XI = 1e-20


class Hyper(declared.Hyper):
    """Hyperparameters of Aida; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    k: Annotated[int, Count(0, (2, 1, 3), (0,))] = 2
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"
    root: Literal["bare", "guarded"] = "bare"


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
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        p = p * (1 - h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    x, y = g, m
    for _ in range(h.k):
        product = np.sum(x * y)
        x, y = product / (np.sum(x * x) + XI) * x, product / (np.sum(y * y) + XI) * y
    away = y - x
    v = h.beta2 * s.v + (1 - h.beta2) * (away * away) + h.eps
    root = np.sqrt(v) if h.root == "bare" else np.sqrt(v + 1e-15) + h.eps
    p = p - h.lr / (1 - h.beta1**t) * (m / (root / np.sqrt(1 - h.beta2**t)))
    return State(t=t, m=m, v=v), p
