"""SWATS: Adam until its implied SGD learning rate settles, then SGD (Keskar & Socher 2017).

Rule
    g_t = -g when maximizing, else g
    while the rule is in its Adam phase:
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    d_t = -lr sqrt(1 - beta2^t) / (1 - beta1^t) m_t / (sqrt(v_t) + eps)
    p_t = p_{t-1} + d_t
    gamma_t = <d_t, d_t> / -<d_t, g_t>
    average_t = beta2 average_{t-1} + (1 - beta2) gamma_t; both skipped if <d_t, g_t> = 0
    if t > 1 and |average_t / (1 - beta2^t) - gamma_t| < eps: sgd_lr = average_t / (1 - beta2^t)
    from the step after sgd_lr was set:
    b_t = beta1 b_{t-1} + g_t
    p_t = p_{t-1} - (1 - beta1) sgd_lr b_t

Shapes
    p, g, m, v, b: one shape, any rank, 0-d and empty included. average, sgd_lr, switched: 0-d, for
    the whole tensor. t: the number of steps made.

Domain
    lr, eps >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The paper's one model-wide gamma becomes one per tensor; pass one flat tensor for the paper's.
    eps is both Adam's and the tolerance of the switch, as in the paper.
    eps_placement: the paper divides before the correction ("before_correction"); "outside" is
    Adam's own.
    The rate may be negative where d points uphill; the paper does not say what then, and here it
    switches like any other.

Special cases
    g = 0 from the start never switches and leaves p as it is. nan in g poisons that element of m, v
    and p, and the average, so that it never switches. Empty tensors stay empty and advance t.

Judged
    p, m, v, b, average and sgd_lr by the bounded contract where the switch is decided; t exactly.

Sources
    N. S. Keskar, R. Socher, "Improving Generalization Performance by Switching from Adam to SGD"
    (arXiv:1712.07628), Algorithm 1.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Epsilon, First, Inverse, Number, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# The switch is one for the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "eps_placement": {
        "before_correction": "eps added to the root before bias correction",
        "outside": "eps added to the root of the corrected second moment",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of SWATS; the defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-9
    maximize: Switch = False
    eps_placement: Literal["before_correction", "outside"] = "before_correction"


class State(declared.State):
    """Moments m, v and buffer b like p; average, sgd_lr and switched (0 or 1) 0-d; steps made t."""

    t: int
    m: First
    v: Second
    b: First
    average: Inverse
    sgd_lr: Inverse
    switched: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, in the Adam phase."""
    zero, like_p = np.zeros(()), np.zeros_like(p)
    return State(t=0, m=like_p, v=like_p, b=like_p, average=zero, sgd_lr=zero, switched=zero)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    adam = s.switched < 1
    m = np.where(adam, h.beta1 * s.m + (1 - h.beta1) * g, s.m)
    v = np.where(adam, h.beta2 * s.v + (1 - h.beta2) * (g * g), s.v)
    if h.eps_placement == "before_correction":
        d = -h.lr * (np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t) * m / (np.sqrt(v) + h.eps))
    else:
        d = -h.lr * (m / (1 - h.beta1**t) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps))
    b = np.where(adam, s.b, h.beta1 * s.b + g)
    p = np.where(adam, p + d, p - (1 - h.beta1) * s.sgd_lr * b)

    slope = np.sum(d * g)
    known = slope != 0
    gamma = np.sum(d * d) / -np.where(known, slope, 1.0)
    average = np.where(known, h.beta2 * s.average + (1 - h.beta2) * gamma, s.average)
    rate = average / (1 - h.beta2**t)
    settled = adam & known & (np.abs(rate - gamma) < h.eps) & (t > 1)
    sgd_lr = np.where(settled, rate, s.sgd_lr)
    switched = np.where(settled, np.ones_like(s.switched), s.switched)
    average = np.where(adam, average, s.average)
    return State(t, m, v, b, average, sgd_lr, switched), p
