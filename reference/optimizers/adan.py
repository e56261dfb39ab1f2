"""Adan, Adam on gradients and their differences (Xie et al. 2022).

Over 120 lines: the paper's form, its authors' code and the libraries' choices.

Rule
    g_t = -g when maximizing, else g
    d_t = g_t - g_{t-1}, 0 at t = 1
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) d_t
    n_t = beta3 n_{t-1} + (1 - beta3) (g_t + beta2 d_t)^2
    with m_1 = g_1, v_1 = 0 and n_1 = g_1^2 at t = 1, and v_2 = d_2
    p_t = (p_{t-1} - lr (m_t + beta2 v_t) / (sqrt(n_t) + eps)) / (1 + lr weight_decay)

Shapes
    p, g, m, v, n, previous: one shape, any rank, 0-d and empty included; previous is g_{t-1}. t:
    the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2, beta3 < 1.

Choices
    beta1, beta2, beta3 are rates of forgetting, as in all libraries: one minus the paper's.
    start: the paper sets the averages to their values of the first gradient, that of differences
    to the first difference in full ("gradient"); libraries begin at zero and correct each average
    by 1 - beta^t ("corrected"): the first step, Adam's, is the same, v and the later ones are not.
    sail-sg/Adan and pytorch-optimizer take the first difference of the gradient and itself
    ("repeated"): nan where it is not finite. optimi does so too, and keeps the averages corrected:
    their new part weighs (1 - beta) / (1 - beta^t) ("in_average").
    decay: the paper's proximal form divides ("prox"); with no_prox sail-sg/Adan and timm shrink by
    lr before the step ("before"); optax adds weight_decay p to the update that lr multiplies
    ("in_step").
    eps_placement: "outside" the root, or optax's eps_root "inside" it.
    The paper's restarts and the clipping by global norm of sail-sg/Adan are rules of their own.

Special cases
    g = 0 from the start moves p by the decay alone; with eps = 0 it is 0/0, nan. nan in g poisons
    that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m, v, n and previous by the bounded contract, t exactly.

Sources
    X. Xie, P. Zhou, H. Li, Z. Lin, S. Yan, "Adan: Adaptive Nesterov Momentum Algorithm for Faster
    Optimizing Deep Models", IEEE TPAMI 2024 (arXiv:2208.06677), Algorithm 1. sail-sg/Adan.
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
        "prox": "weight decay, multiplied by lr, divides after the step",
        "before": "weight decay, multiplied by lr, before the step",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
    },
    "eps_placement": {"outside": "eps added to the root", "inside": "eps added inside the root"},
    "start": {
        "gradient": "averages begin with the first gradient and the first difference",
        "corrected": "averages begin at zero and are corrected for it",
        "repeated": "averages begin at zero and are corrected, the first gradient coming twice",
        "in_average": "as repeated, the averages kept as they are when corrected",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adan; the defaults of the numbers are sail-sg/Adan's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.98
    beta2: Beta = 0.92
    beta3: Annotated[float, Real(0.0, 1.0, "high")] = 0.99
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["prox", "before", "in_step"] = "prox"
    eps_placement: Literal["outside", "inside"] = "outside"
    start: Literal["gradient", "corrected", "repeated", "in_average"] = "gradient"


class State(declared.State):
    """Averages m, v, n and the previous gradient, shaped like p, and the counter t."""

    t: int
    m: First
    v: First
    n: Second
    previous: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages shaped like p, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, m=zeros, v=zeros, n=zeros, previous=zeros)


def in_average(beta: Array, t: int, old: Array, new: Array) -> Array:
    """The corrected average after one more, from the corrected one before."""
    weight = (1 - beta) / (1 - beta**t)
    return (1 - weight) * old + weight * new


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if t == 1 and h.start == "gradient":
        m, v, n = g, np.zeros_like(g), g * g
    else:
        d = g - s.previous if t > 1 else np.zeros_like(g)
        if t == 1 and h.start in ("repeated", "in_average"):
            d = 0.0 * g
        ahead = g + h.beta2 * d
        m = h.beta1 * s.m + (1 - h.beta1) * g
        v = h.beta2 * s.v + (1 - h.beta2) * d
        n = h.beta3 * s.n + (1 - h.beta3) * (ahead * ahead)
        if t == 2 and h.start == "gradient":
            v = d
    m_hat, v_hat, n_hat = m, v, n
    if h.start == "in_average":
        m = m_hat = in_average(h.beta1, t, s.m, g)
        v = v_hat = in_average(h.beta2, t, s.v, d)
        n = n_hat = in_average(h.beta3, t, s.n, ahead * ahead)
    elif h.start != "gradient":
        m_hat, v_hat = m / (1 - h.beta1**t), v / (1 - h.beta2**t)
        n_hat = n / (1 - h.beta3**t)
    root = np.sqrt(n_hat) + h.eps if h.eps_placement == "outside" else np.sqrt(n_hat + h.eps)
    update = (m_hat + h.beta2 * v_hat) / root
    if h.decay == "prox":
        p = (p - h.lr * update) / (1 + h.lr * h.weight_decay)
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay) - h.lr * update
    else:
        p = p - h.lr * (update + h.weight_decay * p)
    return State(t=t, m=m, v=v, n=n, previous=g), p
