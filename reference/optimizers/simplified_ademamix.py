"""Simplified AdEMAMix: one slow sum of gradients, and the last gradient on top (Morwani 2025).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - lr ((m_t + alpha g_t) / (sqrt(v_hat) + eps) + weight_decay p_{t-1})

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, alpha, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    decay: in the step ("in_step"), added to the gradient ("coupled"), or p shrunk by lr
    weight_decay ("before") or weight_decay ("unscaled") first. momentum: a sum ("sum"), or an
    average ("average": pytorch-optimizer, though its description is the paper). correction: v is
    divided by 1 - beta2^t, its root by the root of that ("moment"); pytorch-optimizer divides the
    update by 1 - beta2^t besides ("twice"). The warm-up of beta1 is left out.

Special cases
    g = 0 from the start leaves p to the decay for eps > 0; with eps = 0 it is 0/0, nan. nan in g
    poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    D. Morwani et al., "Connections between Schedule-Free Optimizers, AdEMAMix, and Accelerated SGD
    Variants", 2025 (arXiv:2502.02431), the Simplified AdEMAMix of section 5.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Real, Second, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "correction": {
        "moment": "second moment corrected for its zero start",
        "twice": Departure("the update divided by the second moment's correction once more"),
    },
    "decay": {
        "in_step": "weight decay added to the step, multiplied by lr with it",
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "momentum": {"sum": "gradients summed", "average": Departure("gradients averaged")},
}


class Hyper(declared.Hyper):
    """Hyperparameters of Simplified AdEMAMix; the defaults are the paper's and optax's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.99
    beta2: Beta = 0.95
    alpha: Annotated[float, Real(0.0, usual=(1.0, 0.1, 5.0, 0.0, 100.0), edges=(0.0,))] = 0.0
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    correction: Literal["moment", "twice"] = "moment"
    decay: Literal["in_step", "before", "coupled", "unscaled"] = "in_step"
    momentum: Literal["sum", "average"] = "sum"


class State(declared.State):
    """Sum m and moment v, shaped like p, and the number t of steps made."""

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
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay)
    m = h.beta1 * s.m + (g if h.momentum == "sum" else (1 - h.beta1) * g)
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    left = 1 - h.beta2**t
    update = (m + h.alpha * g) / (np.sqrt(v / left) + h.eps)
    if h.correction == "twice":
        update = update / left
    if h.decay == "in_step":
        update = update + h.weight_decay * p
    return State(t=t, m=m, v=v), p - h.lr * update
