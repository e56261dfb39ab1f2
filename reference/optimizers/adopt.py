"""ADOPT, Adam whose second moment is a step late (Taniguchi et al. 2024).

Rule
    g_t = -g when maximizing, else g
    v_1 = g_1^2, and nothing else in the first step
    u_t = clip(g_t / max(sqrt(v_{t-1}), eps), (t - 1)^(1/4))
    m_t = beta1 m_{t-1} + (1 - beta1) u_t
    p_t = p_{t-1} - lr m_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    clip: the paper's ("root4"), or none of it ("none": heavyball). bias_correction: the paper needs
    none ("none"); heavyball's averages are of all that has entered them, with new parts that weigh
    (1 - beta) / (1 - beta^k) the k-th time ("in_average").
    decay: the paper knows none. The authors' code adds it to the gradient ("coupled"), or shrinks p
    by lr weight_decay first ("before"), but not in the first step; pytorch-optimizer shrinks p in
    the first step too ("before_all"), or without lr ("unscaled").

Special cases
    The first gradient moves nothing. Where it is zero, the second is divided by eps and clipped;
    with eps = 0 it is 0/0, nan, for another zero. nan in g poisons that element's m, v and p for
    ever; inf makes v infinite, and m rest at what its averages leave. Empty tensors stay empty.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    S. Taniguchi et al., "ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate",
    NeurIPS 2024 (arXiv:2411.02853), Algorithm 2 and the clipped form; the authors' code, adopt.py.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, Rate, Second, Step, Switch
from truestep.reference.optimizers.adamw import in_average
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "bias_correction": {
        "none": "averages not corrected for their start",
        "in_average": "averages kept as they are when corrected",
    },
    "clip": {
        "root4": "normalized gradients clipped at the fourth root of the steps made",
        "none": "normalized gradients not clipped",
    },
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before every step but the first",
        "before_all": "weight decay, multiplied by lr, before every step",
        "unscaled": "weight decay not multiplied by lr",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of ADOPT; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.9999
    eps: Epsilon = 1e-6
    weight_decay: Decay = 0.0
    maximize: Switch = False
    bias_correction: Literal["none", "in_average"] = "none"
    clip: Literal["root4", "none"] = "root4"
    decay: Literal["coupled", "before", "before_all", "unscaled"] = "coupled"


class State(declared.State):
    """Averaged normalized gradient m and moment v, shaped like p; the number t of steps made."""

    t: int
    m: Step
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
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay)
    elif h.decay == "before_all" or t > 1:
        p = p * (1 - h.lr * h.weight_decay)
    if t == 1:
        return State(t=t, m=s.m, v=s.v + g * g), p
    u = g / np.maximum(np.sqrt(s.v), h.eps)
    if h.clip == "root4":
        limit = (t - 1) ** 0.25
        u = np.clip(u, -limit, limit)
    if h.bias_correction == "in_average":
        m, v = in_average(h.beta1, t - 1, s.m, u), in_average(h.beta2, t, s.v, g * g)
    else:
        m = h.beta1 * s.m + (1 - h.beta1) * u
        v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    return State(t=t, m=m, v=v), p - h.lr * m
