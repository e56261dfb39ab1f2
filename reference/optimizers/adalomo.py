"""AdaLomo, LOMO with Adafactor's second moment and grouped normalisation (Lv et al. 2023).

Rule
    g_t = -g when maximizing, else g
    beta2_t = 1 - t^-decay_rate
    R_t = beta2_t R_{t-1} + (1 - beta2_t) mean over columns (g_t^2 + eps1)
    C_t = beta2_t C_{t-1} + (1 - beta2_t) mean over rows (g_t^2 + eps1)
    V_t = R_t C_t / mean(R_t); for vectors V_t is the average of g_t^2 + eps1 itself
    U_t = g_t / sqrt(V_t)
    U_t = U_t / max(1, RMS(U_t) / clip_threshold)
    alpha_t = lr max(eps2, RMS(p_{t-1}))
    p_t = p_{t-1} (1 - alpha_t weight_decay) - alpha_t U_t

Shapes
    p, g: one shape, any rank, 0-d and empty included. r: that shape with last axis 1, c: with last
    axis but one 1, both empty for vectors; v: p's shape for vectors, else empty. t: the number of
    steps made.

Domain
    lr, decay_rate, eps1, eps2, weight_decay >= 0 and finite; clip_threshold > 0.

Choices
    The normalisation is by each tensor ("grouped"), so that no second backward pass is needed, as
    LOMO's clipping needs one. decay is lomo-optim's, by alpha_t before the step. The loss scale of
    lomo-optim, 2^10 multiplied in and divided out, is exact and left out here. With lr = min(1e-2,
    1 / sqrt(t)) this is Adafactor with decay by the step.

Special cases
    g = 0 gives U = 0 while eps1 > 0, else 0/0, nan. nan or inf in g makes the whole tensor nan.
    Empty tensors stay empty and advance t.

Judged
    p, r, c and v by the bounded contract, t exactly.

Sources
    K. Lv et al., "AdaLomo: Low-memory Optimization with Adaptive Learning Rate", Findings of ACL
    2024 (arXiv:2310.10195), Algorithm 1. The authors' lomo-optim 0.1.1.
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Rate, Real, Second, Switch, Threshold
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Means run over rows, columns and the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaLomo; the defaults are the authors' code's."""

    lr: Rate = 1e-3
    decay_rate: Annotated[float, Real(0.0, usual=(0.8, 1.0, 0.5))] = 0.8
    eps1: Annotated[float, Real(0.0)] = 1e-30
    eps2: Annotated[float, Real(0.0, usual=(1e-3, 1e-16, 0.1))] = 1e-3
    clip_threshold: Threshold = 1.0
    weight_decay: Decay = 0.0
    maximize: Switch = False


class State(declared.State):
    """Averages of g^2 by row and by column, or by element for vectors, and the counter t."""

    t: int
    r: Second
    c: Second
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, t = 0."""
    none, zeros = np.zeros(0), np.zeros_like(p)
    if p.ndim < 2:
        return State(t=0, r=none, c=none, v=zeros)
    r, c = (np.sum(zeros, axis=axis, keepdims=True) for axis in (-1, -2))
    return State(t=0, r=r, c=c, v=none)


def rms(x: Array) -> Array:
    """The root of the mean square, 0-d."""
    return np.sqrt(np.mean(x * x))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t=t, r=s.r, c=s.c, v=s.v), p
    if h.maximize:
        g = -g
    beta2 = 1 - t ** (-h.decay_rate)
    square = g * g + h.eps1
    r, c, v = s.r, s.c, s.v
    if p.ndim < 2:
        v = beta2 * s.v + (1 - beta2) * square
        V = v
    else:
        r = beta2 * s.r + (1 - beta2) * np.mean(square, axis=-1, keepdims=True)
        c = beta2 * s.c + (1 - beta2) * np.mean(square, axis=-2, keepdims=True)
        V = r / np.mean(r, axis=-2, keepdims=True) * c
    u = g / np.sqrt(V)
    u = u / np.maximum(rms(u) / h.clip_threshold, 1.0)
    size = h.lr * np.maximum(rms(p), h.eps2)
    return State(t=t, r=r, c=c, v=v), p * (1 - size * h.weight_decay) - size * u
