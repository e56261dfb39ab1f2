"""Aggregated momentum: the mean of velocities of several dampings (Lucas et al. 2019).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    b1_t = beta1 b1_{t-1} + g_t, and so b2 by beta2 and b3 by beta3
    p_t = p_{t-1} - lr (b1_t + b2_t + b3_t) / 3

Shapes
    p, g, b1, b2, b3: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= beta1, beta2, beta3 < 1.

Choices
    The paper's K is 3, its own choice and every library's. decay: added to the gradient
    ("coupled"), or p is shrunk by lr weight_decay ("before") or weight_decay ("unscaled") first.

Special cases
    g = 0 from the start leaves p to the decay alone. nan or inf in g reaches that element for ever.
    Empty tensors stay empty and advance t.

Judged
    All tensors by the bounded contract, t exactly.

Sources
    J. Lucas, S. Sun, R. Zemel, R. Grosse, "Aggregated Momentum: Stability Through Passive Damping",
    ICLR 2019 (arXiv:1804.00325), equation 3 and section 3.
"""

from typing import Annotated, Literal, TypeAlias

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, First, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

Damping: TypeAlias = Annotated[
    float, Real(0.0, 1.0, "high", usual=(0.9, 0.99, 0.5, 0.999, 0.3, 0.0), edges=(0.0,))
]

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of AggMo; the dampings' defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Damping = 0.0
    beta2: Damping = 0.9
    beta3: Damping = 0.99
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"


class State(declared.State):
    """Velocities b1, b2 and b3, shaped like p, and the number t of steps made."""

    t: int
    b1: First
    b2: First
    b3: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero velocities shaped like p, t = 0."""
    return State(t=0, b1=np.zeros_like(p), b2=np.zeros_like(p), b3=np.zeros_like(p))


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
    b1, b2, b3 = h.beta1 * s.b1 + g, h.beta2 * s.b2 + g, h.beta3 * s.b3 + g
    lr = h.lr / 3
    return State(t=t, b1=b1, b2=b2, b3=b3), p - lr * b1 - lr * b2 - lr * b3
