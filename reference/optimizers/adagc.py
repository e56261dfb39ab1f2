"""AdaGC, AdamW on gradients that are clipped to what they were on average (Wang et al. 2025).

Rule
    g_t = -g when maximizing, else g
    in the first warmup_steps - 1 steps, and in the first of all
        s_t = min(lambda_abs / |g_t|, 1) g_t
        gamma_t = min(gamma_{t-1}, |s_t|), in the first step |s_t|
    afterwards
        s_t = min(lambda_rel gamma_{t-1} / |g_t|, 1) g_t
        gamma_t = beta gamma_{t-1} + (1 - beta) |s_t|
    m_t = beta1 m_{t-1} + (1 - beta1) s_t;  v_t = beta2 v_{t-1} + (1 - beta2) s_t^2
    m_hat = m_t / (1 - beta1^t);  v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} (1 - lr weight_decay) - lr m_hat / (sqrt(v_hat) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. gamma: 0-d; norms are of the whole
    tensor. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; lambda_abs, lambda_rel > 0; warmup_steps an integer >= 0;
    0 <= beta, beta1, beta2 < 1.

Choices
    guard: of no gradient nothing is clipped ("none"), or eps is added to the norm at first, and is
    the least gamma and norm afterwards ("eps": pytorch-optimizer). decay: p shrunk first by lr
    weight_decay ("before") or weight_decay ("unscaled"), or the decay added to the gradient
    ("coupled"). The paper's first norm is of the whole model: a tensor is a model.

Special cases
    A gradient of zeros in the warm-up makes gamma 0, and without a guard every gradient after it.
    nan in g makes gamma and all of p nan for ever. Empty tensors stay empty and advance t.

Judged
    p, m, v and gamma by the bounded contract, t exactly.

Sources
    G. Wang et al., "AdaGC: Improving Training Stability for Large Language Model Pretraining", 2025
    (arXiv:2502.11034), Algorithm 1, read in pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Count,
    Decay,
    Epsilon,
    First,
    Rate,
    Real,
    Second,
    Size,
    Switch,
    Threshold,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One norm serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "guard": {
        "none": "of no gradient nothing is clipped",
        "eps": "eps beside the first norms, and the least of those after",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaGC; the defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    beta: Beta = 0.98
    lambda_abs: Threshold = 1.0
    lambda_rel: Annotated[float, Real(0.0, open="low", usual=(1.05, 1.5, 0.5))] = 1.05
    warmup_steps: Annotated[int, Count(0, (100, 3, 0, 10))] = 100
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.1
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    guard: Literal["none", "eps"] = "none"


class State(declared.State):
    """Moments m and v, shaped like p, the average norm gamma, the number t of steps made."""

    t: int
    m: First
    v: Second
    gamma: Size


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), gamma=np.zeros(()))


def length(x: Array) -> Array:
    """The norm."""
    return np.sqrt(np.sum(x * x))


def clipped(h: Hyper, s: State, g: Array) -> tuple[Array, Array]:
    """The gradient as it is averaged, and the average of such norms."""
    norm = length(g)
    beside = np.where(norm > 0, norm, 1.0) if h.guard == "none" else norm + h.eps
    first = s.t == 0
    if first or s.t + 1 < h.warmup_steps:
        g = np.minimum(h.lambda_abs / beside, 1.0) * g
        return g, length(g) if first else np.minimum(s.gamma, length(g))
    if h.guard == "none":
        share = h.lambda_rel * s.gamma / beside
    else:
        share = h.lambda_rel * np.maximum(s.gamma, h.eps) / np.maximum(norm, h.eps)
    g = np.minimum(share, 1.0) * g
    return g, h.beta * s.gamma + (1 - h.beta) * length(g)


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
    short, gamma = clipped(h, s, g)
    m = h.beta1 * s.m + (1 - h.beta1) * short
    v = h.beta2 * s.v + (1 - h.beta2) * (short * short)
    m_hat = m / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    p = p - h.lr * (m_hat / (np.sqrt(v_hat) + h.eps))
    return State(t=t, m=m, v=v, gamma=gamma), p
