"""PID, momentum with the change of the gradient besides (An et al. 2018).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    i_t = momentum i_{t-1} + (1 - dampening) g_t
    d_t = momentum d_{t-1} + (1 - momentum) (g_t - g_{t-1}),  d_1 = 0
    p_t = p_{t-1} - lr (g_t + integral i_t + derivative d_t)

Shapes
    p, g, i, d, previous: one shape, any rank, 0-d and empty included; previous is g_{t-1}.
    t: the number of steps made.

Domain
    lr, integral, derivative, weight_decay >= 0 and finite; 0 <= momentum < 1; 0 <= dampening <= 1.

Choices
    decay: added to the gradient ("coupled", the authors' code), or p shrunk by lr weight_decay
    ("before") or weight_decay ("unscaled") first (pytorch-optimizer). first: the first gradient
    enters i damped ("damped"), or whole ("whole": the authors' code).

Special cases
    integral = derivative = 0 is gradient descent. g = 0 from the start leaves p to the decay. nan
    in g poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, i, d and previous by the bounded contract, t exactly.

Sources
    W. An et al., "A PID Controller Approach for Stochastic Optimization of Deep Networks", CVPR
    2018, equations 12 to 14. The authors' code, tensorboy/PIDOptimizer, for the gradient itself
    as a third term, dampening and weight_decay.
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
    },
    "first": {
        "damped": "the first gradient damped like every other",
        "whole": "the first gradient not damped",
    },
}
Gain = Real(0.0, usual=(5.0, 10.0, 0.3, 1.0), edges=(0.0,))


class Hyper(declared.Hyper):
    """Hyperparameters of PID; the defaults are the authors' code's."""

    lr: Rate = 1e-3
    momentum: Momentum = 0.9
    dampening: Annotated[float, Real(0.0, 1.0, usual=(0.0, 0.1, 0.9), edges=(1.0,))] = 0.0
    integral: Annotated[float, Gain] = 5.0
    derivative: Annotated[float, Gain] = 10.0
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"
    first: Literal["damped", "whole"] = "damped"


class State(declared.State):
    """The sums i and d and the gradient before, shaped like p, and the number t of steps made."""

    t: int
    i: First
    d: First
    previous: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, i=np.zeros_like(p), d=np.zeros_like(p), previous=np.zeros_like(p))


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
    if h.first == "whole" and t == 1:
        i = h.momentum * s.i + g
    else:
        i = h.momentum * s.i + (1 - h.dampening) * g
    d = h.momentum * s.d
    if t > 1:
        d = d + (1 - h.momentum) * (g - s.previous)
    p = p - h.lr * (g + h.integral * i + h.derivative * d)
    return State(t=t, i=i, d=d, previous=g), p
