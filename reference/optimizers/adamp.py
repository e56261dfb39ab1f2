"""AdamP, Adam without the part of the step along the parameter (Heo et al. 2021).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    u = m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + eps)
    where all rows of g and p, or else both as a whole, are nearly orthogonal,
        |cos(g, p)| < delta / sqrt(length):
        u = u - (n . u) n with n = p / (|p| + eps), by row or as a whole, and ratio = wd_ratio
    elsewhere ratio = 1
    p_t = p_{t-1} (1 - lr weight_decay ratio) - lr u

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included; vectors and numbers are never
    projected. A row is all that shares the first index. t: the number of steps made.

Domain
    lr, eps, weight_decay, delta >= 0 and finite; 0 <= beta1, beta2, wd_ratio < 1.

Choices
    nesterov: u of beta1 m_t + (1 - beta1) g_t in the place of m_t. cosine: divided by the norms, of
    each the larger of it and eps ("floor", PyTorch's cosine_similarity, which the authors' later
    code calls), or by the norms plus eps ("sum": jettify's torch_optimizer). decay: multiplied by
    lr ("before"), not multiplied ("unscaled"), or added to the gradient ("coupled"). eps: added to
    the root of the corrected moment ("outside"), or before the correction ("before_correction":
    pytorch-optimizer).

Special cases
    p = 0 is orthogonal to everything, and the step is not changed but for its decay. nan in g
    projects nothing. g = 0 from the start leaves p to the decay for eps > 0. Empty tensors
    stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    B. Heo et al., "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant
    Weights", ICLR 2021 (arXiv:2006.08217), Algorithm 2. The authors' code, clovaai/AdamP.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Real, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Norms of rows and of the whole tensor decide.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "cosine": {
        "floor": "eps as a floor of each norm of the cosine",
        "sum": "eps added to each norm of the cosine",
    },
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
}
Delta = Annotated[float, Real(0.0, usual=(0.1, 0.5, 3.0), edges=(0.0,))]
Ratio = Annotated[float, Real(0.0, 1.0, "high", usual=(0.1, 0.3, 0.9), edges=(0.0,))]


class Hyper(declared.Hyper):
    """Hyperparameters of AdamP; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    delta: Delta = 0.1
    wd_ratio: Ratio = 0.1
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    nesterov: Switch = False
    maximize: Switch = False
    cosine: Literal["floor", "sum"] = "floor"
    decay: Literal["before", "coupled", "unscaled"] = "before"
    eps_placement: Literal["outside", "before_correction"] = "outside"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def orthogonal(h: declared.Hyper, p: Array, g: Array, axes: tuple[int, ...]) -> Array:
    """Whether all slices along the axes of g and p are nearly orthogonal, 0-d."""
    sizes = [np.sqrt(np.sum(x * x, axis=axes)) for x in (g, p)]
    eps_g, eps_p = (np.maximum(x, h.eps) if h.cosine == "floor" else x + h.eps for x in sizes)
    cosine = np.max(np.abs(np.sum(g * p, axis=axes)) / eps_g / eps_p)
    length = np.prod([p.shape[axis] for axis in axes])
    return cosine < h.delta / np.sqrt(length)


def tangent(h: declared.Hyper, p: Array, u: Array, axes: tuple[int, ...]) -> Array:
    """The step without its part along the slices of p."""
    n = p / (np.sqrt(np.sum(p * p, axis=axes, keepdims=True)) + h.eps)
    return u - n * np.sum(n * u, axis=axes, keepdims=True)


def projected(h: declared.Hyper, p: Array, g: Array, u: Array) -> tuple[Array, Array]:
    """The step, by row or as a whole without its part along p, and the share of the decay."""
    if p.ndim < 2 or not p.size:
        return u, 1.0
    rows, whole = tuple(range(1, p.ndim)), tuple(range(p.ndim))
    by_row, at_all = orthogonal(h, p, g, rows), orthogonal(h, p, g, whole)
    u = np.where(by_row, tangent(h, p, u, rows), np.where(at_all, tangent(h, p, u, whole), u))
    return u, np.where(by_row, h.wd_ratio, np.where(at_all, h.wd_ratio, 1.0))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    mean = h.beta1 * m + (1 - h.beta1) * g if h.nesterov else m
    if h.eps_placement == "outside":
        root = np.sqrt(v / (1 - h.beta2**t)) + h.eps
    else:
        root = (np.sqrt(v) + h.eps) / np.sqrt(1 - h.beta2**t)
    u, ratio = projected(h, p, g, mean / root)
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay * ratio)
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay * ratio)
    return State(t=t, m=m, v=v), p - h.lr / (1 - h.beta1**t) * u
