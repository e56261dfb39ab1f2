"""Positive-negative momentum, two averages of which one is taken off (Xie et al. 2021).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1^2 m_{t-2} + (1 - beta1^2) g_t
    p_t = p_{t-1} (1 - lr weight_decay)
          - lr ((1 + beta0) m_t - beta0 m_{t-1}) / sqrt((1 + beta0)^2 + beta0^2)

Shapes
    p, g, m, previous: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, beta0, weight_decay >= 0 and finite; 0 <= beta1 < 1.

Choices
    decay: before the step as above ("before"), without lr ("unscaled"), or added to the gradient
    ("coupled"). Libraries keep the averages of odd and of even steps in two places; here they are
    the last one and the one before.

Special cases
    g = 0 leaves an average of zero alone. nan in g poisons that element's average of every other
    step, and p, for ever. Empty tensors stay empty and advance t.

Judged
    p, m and previous by the bounded contract, t exactly.

Sources
    Z. Xie et al., "Positive-Negative Momentum: Manipulating Stochastic Gradient Noise to Improve
    Generalization", ICML 2021 (arXiv:2103.17182), Algorithm 2.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, First, Rate, Real, Switch
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


class Hyper(declared.Hyper):
    """Hyperparameters of PNM; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta0: Annotated[float, Real(0.0, usual=(1.0, 0.3, 2.0), edges=(0.0,))] = 1.0
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"


class State(declared.State):
    """The last average m and the one before it, shaped like p, and the number t of steps made."""

    t: int
    m: First
    previous: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), previous=np.zeros_like(p))


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
    kept = h.beta1 * h.beta1
    m = kept * s.previous + (1 - kept) * g
    size = np.sqrt((1 + h.beta0) * (1 + h.beta0) + h.beta0 * h.beta0)
    update = ((1 + h.beta0) * m - h.beta0 * s.m) / size
    return State(t=s.t + 1, m=m, previous=s.m), p - h.lr * update
