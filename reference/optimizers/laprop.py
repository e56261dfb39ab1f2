"""LaProp: momentum of normalized gradients, not a normalized momentum (Ziyin et al. 2020).

Over 120 lines: the libraries' choices of rate, of corrections and of eps.

Rule
    g_t = -g when maximizing, else g
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_t = beta1 m_{t-1} + (1 - beta1) g_t / (sqrt(v_t / (1 - beta2^t)) + eps)
    p_t = p_{t-1} (1 - lr weight_decay) - lr m_t / (1 - beta1^t)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    rate: lr multiplies the average ("outside"), or what enters it ("inside": the authors' code and
    pytorch-optimizer; their correction is then that of the average of rates, 1 - beta1^t where lr
    does not change). bias_correction: of both averages ("moments"); heavyball keeps them divided,
    with new parts that weigh (1 - beta) / (1 - beta^t) ("in_average").
    eps_placement: added to the root of the corrected moment ("outside"), to that of the moment
    before its correction ("before_correction"), or its floor ("floor").
    decay: p shrunk by lr weight_decay first ("before"), or the moved p ("after"). The centered form
    and that with the largest v are left out.

Special cases
    g = 0 from the start leaves p to the decay, or with eps = 0 makes it nan. nan in g poisons that
    element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    L. Ziyin, Z. T. Wang, M. Ueda, "LaProp: Separating Momentum and Adaptivity in Adam", 2020
    (arXiv:2002.04839), Algorithm 1; the authors' laprop.py.
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
        "moments": "averages corrected for their zero start",
        "in_average": "averages kept as they are when corrected",
    },
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "after": "weight decay, multiplied by lr, after the step",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
        "floor": "eps as a floor of the root",
    },
    "rate": {
        "outside": "lr multiplies the average",
        "inside": "lr multiplies what enters the average",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of LaProp; the defaults are the authors'."""

    lr: Rate = 4e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-15
    weight_decay: Decay = 0.0
    maximize: Switch = False
    bias_correction: Literal["moments", "in_average"] = "moments"
    decay: Literal["before", "after"] = "before"
    eps_placement: Literal["outside", "before_correction", "floor"] = "outside"
    rate: Literal["outside", "inside"] = "outside"


class State(declared.State):
    """Average m of normalized gradients and moment v, shaped like p; the number t of steps made."""

    t: int
    m: Step
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    left1, left2 = 1 - h.beta1**t, 1 - h.beta2**t
    if h.bias_correction == "in_average":
        v = v_hat = in_average(h.beta2, t, s.v, g * g)
        uncorrected = v * left2
    else:
        v = uncorrected = h.beta2 * s.v + (1 - h.beta2) * (g * g)
        v_hat = v / left2
    if h.eps_placement == "outside":
        u = g / (np.sqrt(v_hat) + h.eps)
    elif h.eps_placement == "floor":
        u = g / np.maximum(np.sqrt(v_hat), h.eps)
    else:
        u = np.sqrt(left2) * (g / (np.sqrt(uncorrected) + h.eps))
    if h.rate == "inside":
        u = h.lr * u
    if h.bias_correction == "in_average":
        m = update = in_average(h.beta1, t, s.m, u)
    else:
        m = h.beta1 * s.m + (1 - h.beta1) * u
        update = m / left1
    way = update if h.rate == "inside" else h.lr * update
    shrink = 1 - h.lr * h.weight_decay
    p = p * shrink - way if h.decay == "before" else (p - way) * shrink
    return State(t=t, m=m, v=v), p
