"""Sophia, a clipped step over an average of the Hessian's diagonal (Liu et al. 2023).

Over 120 lines: both estimators of the diagonal are given beside the step.

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    every period steps, the first included, with the estimate e_t of the Hessian's diagonal:
        h_t = beta2 h_{t-1} + (1 - beta2) e_t;  h_t = h_{t-1} in the other steps
    u = m_t / max(gamma h_t, eps), clipped to [-limit, limit]
    p_t = p_{t-1} (1 - lr weight_decay) - lr u

Shapes
    p, g, estimate, m, h: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, gamma, weight_decay >= 0 and finite; limit > 0; 0 <= beta1, beta2 < 1; period an
    integer >= 1.

Choices
    The estimate is the caller's, and of the function that is minimized: hutchinson of a product
    with the Hessian, or gauss_newton_bartlett of a gradient on sampled labels. It is not read in
    steps that refresh nothing. limit is 1 in the paper; pytorch-optimizer has it as p, and no
    gamma.
    bias_correction: the paper has none ("none"); optax divides m_t by 1 - beta1^t ("first").
    decay: with the old p ("before"); pytorch-optimizer can leave lr out of it ("unscaled") or add
    weight_decay p to g_t ("coupled"); optax adds it to u ("in_step"), "before" but for its
    rounding.
    denominator: as above ("floor"), or gamma max(h_t, 0) + eps, the authors' code ("added").
    refresh: before h_t is used ("before"); optax refreshes it afterwards ("after"), so that its
    first step divides by eps.

Special cases
    Where gamma h_t <= eps, as where h_t is zero or negative, and |m_t| >= eps limit, p
    moves by lr limit against the sign of m_t. m_t = 0 leaves p to the decay, with eps = 0
    it is 0/0, nan, where h_t <= 0. nan in g poisons that element of m and p for ever, nan in a used
    estimate that of h and p; an infinite g fixes the sign of the step. Empty tensors stay empty and
    advance t.

Judged
    m, h, p by the bounded contract, t exactly.

Sources
    H. Liu, Z. Li, D. Hall, P. Liang, T. Ma, "Sophia: A Scalable Stochastic Second-order Optimizer
    for Language Model Pre-training", ICLR 2024 (arXiv:2305.14342), Algorithms 1 to 3;
    github.com/Liuhong99/Sophia. optax 0.2.8, pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Count,
    Curvature,
    Decay,
    Epsilon,
    First,
    Rate,
    Real,
    Switch,
)
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True, inputs={"estimate": lambda shape: shape})
DIALECTS = {
    "bias_correction": {
        "none": "momentum not corrected",
        "first": "momentum corrected for its zero start",
    },
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
        "unscaled": "weight decay, not multiplied by lr, before the step",
    },
    "denominator": {
        "floor": "eps as a floor of gamma times the Hessian",
        "added": "eps added to gamma times the Hessian where it is positive",
    },
    "refresh": {
        "before": "Hessian refreshed before it is used",
        "after": Departure("Hessian refreshed after it is used"),
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Sophia-H, the paper's; lr and weight_decay are the authors' code's."""

    lr: Rate = 1e-4
    beta1: Beta = 0.96
    beta2: Beta = 0.99
    eps: Epsilon = 1e-12
    gamma: Annotated[float, Real(0.0, usual=(0.01, 0.05, 1.0, 30.0))] = 0.01
    limit: Annotated[float, Real(0.0, open="low", usual=(1.0, 0.04, 30.0))] = 1.0
    weight_decay: Decay = 0.1
    period: Annotated[int, Count(1, (1, 2, 5))] = 10
    maximize: Switch = False
    bias_correction: Literal["none", "first"] = "none"
    decay: Literal["before", "coupled", "in_step", "unscaled"] = "before"
    denominator: Literal["floor", "added"] = "floor"
    refresh: Literal["before", "after"] = "before"


class State(declared.State):
    """Momentum m and average Hessian diagonal h, shaped like p, and the number t of steps made."""

    t: int
    m: First
    h: Curvature


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages shaped like p, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, m=zeros, h=zeros)


def hutchinson(u: Array, product: Array) -> Array:
    """The Hessian's diagonal, estimated from its product with u.

    u: independent elements of mean 0 and variance 1, normal (the paper) or +-1 (optax), with which
    a diagonal Hessian is met exactly. Its mean is the diagonal; it may be negative.
    """
    return u * product


def gauss_newton_bartlett(batch: float, g: Array) -> Array:
    """The Gauss-Newton matrix's diagonal, estimated from a gradient; never negative.

    g: of the mean loss of that many examples, whose labels are drawn from the model's own
    predictions.
    """
    return batch * (g * g)


def step(h: Hyper, s: State, p: Array, g: Array, *, estimate: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    m = h.beta1 * s.m + (1 - h.beta1) * g
    hessian = s.h
    if s.t % h.period == 0:
        hessian = h.beta2 * s.h + (1 - h.beta2) * estimate
    used = hessian if h.refresh == "before" else s.h
    if h.denominator == "floor":
        denominator = np.maximum(h.gamma * used, h.eps)
    else:
        denominator = h.gamma * np.maximum(used, 0.0) + h.eps
    m_hat = m / (1 - h.beta1**t) if h.bias_correction == "first" else m
    u = np.clip(m_hat / denominator, -h.limit, h.limit)
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay)
    elif h.decay == "in_step":
        u = u + h.weight_decay * p
    return State(t=t, m=m, h=hessian), p - h.lr * u
