"""AvaGrad, Adam whose rates are divided by their mean over the tensor (Savarese et al. 2019).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    d_t = sqrt(v_{t-1} / (1 - beta2^{t-1})) + eps, and eps in the first step
    gamma_t = 1 / sqrt(mean(1 / d_t^2))
    p_t = p_{t-1} - lr gamma_t / (1 - beta1^t) m_t / d_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. gamma: 0-d, of the whole tensor. t: the
    number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The paper has no corrections for the zero start; the authors' code has them. rates: p moves by
    this step's gamma, as in the paper ("own"), or by the last step's, which is of v_{t-2} corrected
    by 1 - beta2^{t-1}, and not at all in the first step ("last": the authors' code). decay: p
    shrunk first by lr weight_decay ("before") or weight_decay ("unscaled"), or the decay added to
    the gradient ("coupled"). The authors take the mean over the whole model: a tensor is a model.

Special cases
    The first step is lr times the gradient, or none. eps = 0 makes it 0/0, nan, as it makes every
    step after zeros alone. nan in g poisons its element in m, and from the next step on all of p.
    Empty tensors stay empty and advance t.

Judged
    p, m, v and gamma by the bounded contract, t exactly.

Sources
    P. Savarese et al., "Domain-independent Dominance of Adaptive Methods", CVPR 2021
    (arXiv:1912.01823). The authors' code, lolemacs/avagrad, optimizers.py.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Size, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One mean serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "rates": {
        "own": "divided by the mean of this step's rates",
        "last": "divided by the mean of the last step's rates, and no first step",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AvaGrad; the defaults are the authors'."""

    lr: Rate = 0.1
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 0.1
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    rates: Literal["own", "last"] = "own"


class State(declared.State):
    """Moments m and v, shaped like p, the mean gamma, and the number t of steps made."""

    t: int
    m: First
    v: Second
    gamma: Size


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), gamma=np.zeros(()))


def roots(h: Hyper, v: Array, t: int) -> Array:
    """What a step is divided by where v is corrected for t steps; v is zero where t is."""
    return np.sqrt(v / (1 - h.beta2**t) if t else v) + h.eps


def mean(d: Array) -> Array:
    """What brings the mean square of the rates 1 / d to 1."""
    return 1 / np.sqrt(np.mean(1 / (d * d)))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if not p.size:
        return State(t=t, m=s.m, v=s.v, gamma=s.gamma), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        p = p * (1 - h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    d = roots(h, s.v, s.t)
    if h.rates == "own":
        gamma = used = mean(d)
    else:
        gamma, used = mean(roots(h, s.v, t)), s.gamma
    if h.rates == "own" or s.t:
        p = p - h.lr * used / (1 - h.beta1**t) * (m / d)
    return State(t=t, m=m, v=h.beta2 * s.v + (1 - h.beta2) * (g * g), gamma=gamma), p
