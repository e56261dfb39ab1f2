"""AdaPNM, Adam whose average is of positive and negative momenta (Xie et al. 2021).

Rule
    g_t = -g when maximizing, else g
    p shrinks by lr weight_decay
    m_t = beta1^2 m_{t-2} + (1 - beta1^2) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    v_max = max(v_max, v_t)
    m_hat = ((1 + beta0) m_t - beta0 m_{t-1}) / (1 - beta1^t)
    p_t = p - lr m_hat / (sqrt((1 + beta0)^2 + beta0^2) (sqrt(v_max / (1 - beta2^t)) + eps))

Shapes
    p, g, m, previous, v, v_max: one shape, any rank, 0-d and empty included; previous is the
    average before, of every other gradient. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; beta0 >= 0; 0 <= beta1, beta2 < 1.

Choices
    decay: p shrunk first by lr weight_decay ("before") or weight_decay ("unscaled"), or the decay
    added to the gradient ("coupled": pytorch-optimizer). maximum: the largest v divides ("kept"),
    or the last ("none": the authors' amsgrad=False). eps: added to the root of the corrected moment
    ("outside"), or before the correction ("before_correction": pytorch-optimizer).

Special cases
    beta0 = 0 is Adam on every other gradient. g = 0 from the start leaves p to the decay for
    eps > 0; with eps = 0 it is 0/0, nan. nan in g poisons that element for ever. Empty tensors
    stay empty and advance t.

Judged
    p, m, previous, v and v_max by the bounded contract, t exactly.

Sources
    Z. Xie, L. Yuan, Z. Zhu, M. Sugiyama, "Positive-Negative Momentum: Manipulating Stochastic
    Gradient Noise to Improve Generalization", ICML 2021 (arXiv:2103.17182), Algorithm 3. The
    authors' code, zeke-xie/Positive-Negative-Momentum.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Real, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
    "maximum": {
        "kept": "the largest second moment divides",
        "none": "the last second moment divides",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaPNM; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    beta0: Annotated[float, Real(0.0, usual=(1.0, 0.3, 2.0), edges=(0.0,))] = 1.0
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    eps_placement: Literal["outside", "before_correction"] = "outside"
    maximum: Literal["kept", "none"] = "kept"


class State(declared.State):
    """Averages m and previous, moments v and v_max, shaped like p; the number t of steps made."""

    t: int
    m: First
    previous: First
    v: Second
    v_max: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    m, previous, v, v_max = (np.zeros_like(p) for _ in range(4))
    return State(t=0, m=m, previous=previous, v=v, v_max=v_max)


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
    kept = h.beta1 * h.beta1
    m = kept * s.previous + (1 - kept) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    v_max = np.maximum(s.v_max, v) if h.maximum == "kept" else s.v_max
    size = np.sqrt((1 + h.beta0) * (1 + h.beta0) + h.beta0 * h.beta0)
    mean = ((1 + h.beta0) * m - h.beta0 * s.m) / size
    largest = v_max if h.maximum == "kept" else v
    if h.eps_placement == "outside":
        root = np.sqrt(largest / (1 - h.beta2**t)) + h.eps
    else:
        root = (np.sqrt(largest) + h.eps) / np.sqrt(1 - h.beta2**t)
    p = p - h.lr / (1 - h.beta1**t) * (mean / root)
    return State(t=t, m=m, previous=s.m, v=v, v_max=v_max), p
