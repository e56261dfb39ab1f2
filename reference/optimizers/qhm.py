"""Quasi-hyperbolic momentum: a gradient beside the average of gradients (Ma & Yarats 2019).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    m_t = momentum m_{t-1} + (1 - momentum) g_t
    p_t = p_{t-1} - lr ((1 - nu) g_t + nu m_t)

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= momentum < 1; 0 <= nu <= 1.

Choices
    nu = 0 is gradient descent, nu = 1 momentum with an average, nu = momentum Nesterov's. decay:
    added to the gradient ("coupled"), or p is shrunk by lr weight_decay ("before") or weight_decay
    ("unscaled") first.

Special cases
    g = 0 from the start leaves p to the decay alone. nan or inf in g reaches that element of m for
    ever, and of p. Empty tensors stay empty and advance t.

Judged
    p and m by the bounded contract, t exactly.

Sources
    J. Ma, D. Yarats, "Quasi-hyperbolic momentum and Adam for deep learning", ICLR 2019
    (arXiv:1810.06801), equations 3 and 4; the authors' qhoptim.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, First, Momentum, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of QHM; the defaults are what the paper recommends."""

    lr: Rate = 1.0
    momentum: Momentum = 0.999
    nu: Annotated[float, Real(0.0, 1.0, usual=(0.7, 0.5, 0.9, 1.0), edges=(0.0, 1.0))] = 0.7
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"


class State(declared.State):
    """Averaged gradient m, shaped like p, and the number t of steps made."""

    t: int
    m: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: a zero average shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p))


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
    m = h.momentum * s.m + (1 - h.momentum) * g
    return State(t=t, m=m), p - h.lr * h.nu * m - h.lr * (1 - h.nu) * g
