"""KATE, AdaGrad without its root that knows no scale of the data (Choudhury et al. 2024).

Rule
    g_t = -g when maximizing, else g
    b_t^2 = b_{t-1}^2 + g_t^2 + eps
    m_t^2 = m_{t-1}^2 + delta g_t^2 + g_t^2 / b_t^2
    p_t = p_{t-1} - lr m_t g_t / b_t^2

Shapes
    p, g, m, b: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, delta, eps, weight_decay >= 0 and finite.

Choices
    m and b are kept, roots of the sums, as in the authors' code, which adds eps at every step;
    the paper has none. delta is the paper's eta. decay: p shrunk first by lr weight_decay
    ("before") or weight_decay ("unscaled"), or the decay added to the gradient ("coupled").

Special cases
    g = 0 from the start leaves p to the decay for eps > 0; with eps = 0 it is 0/0, nan. nan in g
    poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and b by the bounded contract, t exactly.

Sources
    S. Choudhury et al., "Remove that Square Root: A New Efficient Scale-Invariant Version of
    AdaGrad", NeurIPS 2024 (arXiv:2403.02648), Algorithm 1. The authors' code, nazya/KATE.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, Rate, Real, Size, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    }
}
Sum = Annotated[Array, declared.Behaviour(0, nonnegative=True)]


class Hyper(declared.Hyper):
    """Hyperparameters of KATE; the defaults are the authors'."""

    lr: Rate = 1e-3
    delta: Annotated[float, Real(0.0, 1.0, "high", usual=(0.0, 0.1, 0.5), edges=(0.0,))] = 0.0
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"


class State(declared.State):
    """Roots m and b of the two sums, shaped like p, and the number t of steps made."""

    t: int
    m: Sum
    b: Size


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), b=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        p = p * (1 - h.weight_decay)
    square = g * g
    total = s.b * s.b + square + h.eps
    m = np.sqrt(s.m * s.m + h.delta * square + square / total)
    return State(t=s.t + 1, m=m, b=np.sqrt(total)), p - h.lr * (m * g / total)
