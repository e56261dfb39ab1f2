"""AdaSmooth, AdaDelta whose memory is as long as the way is straight (Lu 2022).

Rule
    g_t = -g when maximizing, else g
    s_t = s_{t-1} + (p_{t-1} - p_{t-2}),  n_t = n_{t-1} + |p_{t-1} - p_{t-2}|
    c_t = ((beta2 - beta1) |s_t| / (n_t + eps) + (1 - beta2))^2
    v_t = (1 - c_t) v_{t-1} + c_t g_t^2
    p_t = p_{t-1} - lr g_t / sqrt(v_t + eps)

Shapes
    p, g, previous, s, n, v: one shape, any rank, 0-d and empty included; previous is p_{t-2}, the
    first point at first. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The paper sums the way over the last steps; pytorch-optimizer over all, as here. decay: added to
    the gradient ("coupled"), or p shrunk first, before the way is measured, by lr weight_decay
    ("before") or weight_decay ("unscaled"). The paper has none.

Special cases
    g = 0 from the start leaves p as it is for eps > 0; with eps = 0 it is 0/0, nan. nan in g
    poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, previous, s, n and v by the bounded contract, t exactly.

Sources
    J. Lu, "AdaSmooth: An Adaptive Learning Rate Method based on Effective Ratio", 2022
    (arXiv:2204.00825), Algorithm 1. pytorch-optimizer for eps beside the way, and weight_decay.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, Point, Rate, Second, Step, Switch
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
Way = Annotated[Array, declared.Behaviour(0, nonnegative=True)]


class Hyper(declared.Hyper):
    """Hyperparameters of AdaSmooth; the defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.5
    beta2: Beta = 0.99
    eps: Epsilon = 1e-6
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"


class State(declared.State):
    """The point before, sums s and n of ways, moment v, shaped like p; the number t of steps."""

    t: int
    previous: Point
    s: Step
    n: Way
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: the point before is p, the rest zeros, t = 0."""
    s, n, v = (np.zeros_like(p) for _ in range(3))
    return State(t=0, previous=np.asarray(p), s=s, n=n, v=v)


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
    way = p - s.previous
    total, length = s.s + way, s.n + np.abs(way)
    straight = np.abs(total) / (length + h.eps)
    root = (h.beta2 - h.beta1) * straight + (1 - h.beta2)
    c = root * root
    v = (1 - c) * s.v + c * (g * g)
    moved = h.lr * (g / np.sqrt(v + h.eps))
    return State(t=s.t + 1, previous=p, s=total, n=length, v=v), p - moved
