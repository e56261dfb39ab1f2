"""CAME, Adafactor with momentum divided by a factored instability of it (Luo et al. 2023).

Over 120 lines: four factored averages, each with its own update.

Rule
    g_t = -g when maximizing, else g
    R_t, C_t = averages with beta2 of the row and column means of g_t^2 + eps1
    u_t = g_t / sqrt(R_t C_t / mean(R_t)); u_t = u_t / max(1, RMS(u_t) / clip_threshold)
    m_t = beta1 m_{t-1} + (1 - beta1) u_t
    r_t, c_t = averages with beta3 of the row and column means of (u_t - m_t)^2 + eps2
    p_t = p_{t-1} (1 - lr weight_decay) - lr m_t / sqrt(r_t c_t / mean(r_t))

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. Of matrices and higher ranks r and
    instability_r have last axis 1, c and instability_c last axis but one 1, and v is empty; of
    vectors these four are empty and v has p's shape. t: the number of steps made.

Domain
    lr, eps1, eps2, weight_decay >= 0 and finite; clip_threshold > 0; 0 <= beta1, beta2, beta3 < 1.

Choices
    The paper speaks of matrices only; for vectors the authors' code divides g by the root of the
    full average of g^2 + eps1 and steps by -lr m_t, without an instability. No average is corrected
    for its start: the first step of a rank-one matrix is 11.1 lr with the default betas, of a
    vector 0.1 lr.
    decay: the authors' code shrinks by lr before the step ("before"); pytorch-optimizer can add the
    decay to the gradient ("coupled").

Special cases
    g = 0 gives u = 0 while eps1 > 0, else 0/0, nan. nan or inf in g makes the whole tensor nan.
    Empty tensors stay empty and advance t.

Judged
    p and every average by the bounded contract, t exactly.

Sources
    Y. Luo et al., "CAME: Confidence-guided Adaptive Memory Efficient Optimization", ACL 2023
    (arXiv:2307.02047), Algorithm 2. The authors' came-pytorch 0.1.3.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Decay,
    Number,
    Rate,
    Real,
    Second,
    Step,
    Switch,
    Threshold,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Means run over rows, columns and the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of CAME; lr as in the authors' experiments, the rest their code's."""

    lr: Rate = 2e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    beta3: Annotated[float, Real(0.0, 1.0, "high")] = 0.9999
    eps1: Annotated[float, Real(0.0)] = 1e-30
    eps2: Annotated[float, Real(0.0, usual=(1e-3, 1e-16, 0.1))] = 1e-16
    clip_threshold: Threshold = 1.0
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled"] = "before"


class State(declared.State):
    """Momentum m, averages of g^2 (r and c, or v), of the instability, and the counter t."""

    t: int
    m: Step
    r: Second
    c: Second
    v: Second
    instability_r: Number
    instability_c: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, t = 0."""
    none, zeros = np.zeros(0), np.zeros_like(p)
    if p.ndim < 2:
        return State(t=0, m=zeros, r=none, c=none, v=zeros, instability_r=none, instability_c=none)
    r, c = (np.sum(zeros, axis=axis, keepdims=True) for axis in (-1, -2))
    return State(t=0, m=zeros, r=r, c=c, v=none, instability_r=r, instability_c=c)


def averaged(beta: Array, r: Array, c: Array, x: Array) -> tuple[Array, Array]:
    """The averages r and c after one more x, by its row and column means."""
    return (
        beta * r + (1 - beta) * np.mean(x, axis=-1, keepdims=True),
        beta * c + (1 - beta) * np.mean(x, axis=-2, keepdims=True),
    )


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.m, s.r, s.c, s.v, s.instability_r, s.instability_c), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - h.lr * h.weight_decay)
    square = g * g + h.eps1
    r, c, v = s.r, s.c, s.v
    if p.ndim < 2:
        v = h.beta2 * s.v + (1 - h.beta2) * square
        u = g / np.sqrt(v)
    else:
        r, c = averaged(h.beta2, s.r, s.c, square)
        u = g / np.sqrt(r / np.mean(r, axis=-2, keepdims=True) * c)
    u = u / np.maximum(np.sqrt(np.mean(u * u)) / h.clip_threshold, 1.0)
    m = h.beta1 * s.m + (1 - h.beta1) * u
    if p.ndim < 2:
        return State(t, m, r, c, v, s.instability_r, s.instability_c), p - h.lr * m
    change = (u - m) * (u - m) + h.eps2
    instability_r, instability_c = averaged(h.beta3, s.instability_r, s.instability_c, change)
    mean = np.mean(instability_r, axis=-2, keepdims=True)
    root = np.sqrt(instability_r / mean * instability_c)
    return State(t, m, r, c, v, instability_r, instability_c), p - h.lr * (m / root)
