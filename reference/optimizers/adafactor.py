"""Adafactor, Adam without momentum on a factored second moment (Shazeer & Stern 2018).

Over 120 lines: the libraries' choices, and the factored second moment beside the full one.

Rule
    g_t = -g when maximizing, else g
    beta2_t = min(beta2_cap, 1 - t^-decay_rate)
    R_t = beta2_t R_{t-1} + (1 - beta2_t) mean over columns (g_t^2 + eps1)
    C_t = beta2_t C_{t-1} + (1 - beta2_t) mean over rows (g_t^2 + eps1)
    V_t = R_t C_t / mean(R_t); for vectors V_t is the average of g_t^2 + eps1 itself
    U_t = g_t / sqrt(V_t)
    U_t = U_t / max(1, RMS(U_t) / clip_threshold)
    rho_t = min(lr, 1 / sqrt(t))
    alpha_t = max(eps2, RMS(p_{t-1})) rho_t
    p_t = p_{t-1} (1 - lr weight_decay) - alpha_t U_t

Shapes
    p, g: one shape of any rank, empty included. r and c: that shape with one of two axes of size 1
    where the second moment is factored, else empty; v: p's shape where it is not, else empty. m:
    p's shape with momentum, else empty. t: the number of steps made.

Domain
    lr, decay_rate, eps1, eps2, weight_decay >= 0; clip_threshold > 0; 0 <= beta1 < 1; 0 <=
    beta2_cap <= 1; min_size an integer >= 0. The paper's numbers: lr 1e-2, decay_rate 0.8.

Choices
    The paper's R and C are sums; means give the same V and are what every library keeps.
    axes: the last two are factored ("last"); optax and timm's Big Vision form take the "largest"
    two, timm's Adafactor the first two of a convolution ("leading"); below min_size none is.
    clip: by the "rms" of U, or "none", the default of timm's Big Vision form.
    decay: the paper has none. "before" shrinks by lr (PyTorch); Transformers by alpha_t ("step");
    optax by weight_decay alone ("unscaled").
    eps_placement: eps1 added to g^2 ("in_square"); PyTorch takes max(mean(R), eps1) and
    max(sqrt(V), eps1) instead ("floor").
    momentum: the paper's main form has "none"; Transformers and optax average the step alpha_t U_t
    ("of_step"), timm's Big Vision form U_t ("of_update"). None is corrected for its start.
    parameter_scale: RMS of p before the decay ("rms"), after it (Keras, "rms_after_decay"), or
    "none".
    step_size: "relative" as above, "warmup" min(1e-6 t, 1/sqrt(t)), or "constant" rho_t = lr.

Special cases
    g = 0 gives U = 0 while eps1 > 0, else 0/0, nan. nan in g makes the whole tensor nan, and inf
    does. Empty tensors stay empty and advance t.

Judged
    p, r, c, v and m by the bounded contract, t exactly.

Sources
    N. Shazeer, M. Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018
    (arXiv:1804.04235), Algorithms 4 and 5. X. Zhai et al., "Scaling Vision Transformers", CVPR 2022
    (arXiv:2106.04560), section 3.4, for beta2_cap and momentum of U.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Count,
    Decay,
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
    "axes": {
        "last": "the last two axes factored",
        "largest": "the largest two axes factored",
        "leading": "the first two axes factored, or else the last two",
    },
    "clip": {"rms": "update scaled to a largest root mean square", "none": "update not clipped"},
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "step": "weight decay, multiplied by the whole step size, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "eps_placement": {
        "in_square": "eps1 added to the squared gradient",
        "floor": "eps1 as a floor of the root and of the row mean",
    },
    "momentum": {
        "none": "no momentum",
        "of_step": "momentum of the update times its step size",
        "of_update": "momentum of the update",
    },
    "parameter_scale": {
        "rms": "step size multiplied by the root mean square of p before the decay",
        "rms_after_decay": "step size multiplied by the root mean square of p after the decay",
        "none": "step size not multiplied by a size of p",
    },
    "step_size": {
        "relative": "step size at most 1 / sqrt(t)",
        "warmup": "step size 1e-6 t, at most 1 / sqrt(t)",
        "constant": "step size lr",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adafactor; the defaults are the paper's, of lr its largest rho."""

    lr: Rate = 1e-2
    beta1: Beta = 0.9
    decay_rate: Annotated[float, Real(0.0, usual=(0.8, 1.0, 0.5))] = 0.8
    beta2_cap: Annotated[float, Real(0.0, 1.0)] = 1.0
    eps1: Annotated[float, Real(0.0)] = 1e-30
    eps2: Annotated[float, Real(0.0, usual=(1e-3, 1e-16, 0.1))] = 1e-3
    clip_threshold: Threshold = 1.0
    weight_decay: Decay = 0.0
    min_size: Annotated[int, Count(0, (0, 2, 3, 8, 128))] = 0
    maximize: Switch = False
    axes: Literal["last", "largest", "leading"] = "last"
    clip: Literal["rms", "none"] = "rms"
    decay: Literal["before", "step", "unscaled"] = "before"
    eps_placement: Literal["in_square", "floor"] = "in_square"
    momentum: Literal["none", "of_step", "of_update"] = "none"
    parameter_scale: Literal["rms", "rms_after_decay", "none"] = "rms"
    step_size: Literal["relative", "warmup", "constant"] = "relative"


class State(declared.State):
    """Averages of g^2 by row, by column or by element, the momentum m, and the counter t."""

    t: int
    r: Second
    c: Second
    v: Second
    m: Step


def factored_axes(h: Hyper, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """The two axes that are averaged out, the columns' first for R; None: not factored."""
    if len(shape) < 2:
        return None
    pairs = [(len(shape) - 1, len(shape) - 2)]
    if h.axes == "largest":
        order = sorted(range(len(shape)), key=lambda axis: (shape[axis], axis))
        pairs = [(order[-1], order[-2])]
    elif h.axes == "leading" and len(shape) > 2:
        pairs = [(1, 0), *pairs]
    return next((q for q in pairs if min(shape[q[0]], shape[q[1]]) >= h.min_size), None)


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, t = 0."""
    none, zeros = np.zeros(0), np.zeros_like(p)
    m = none if h.momentum == "none" else zeros
    axes = factored_axes(h, np.shape(p))
    if axes is None:
        return State(t=0, r=none, c=none, v=zeros, m=m)
    r, c = (np.sum(zeros, axis=axis, keepdims=True) for axis in axes)
    return State(t=0, r=r, c=c, v=none, m=m)


def rms(x: Array) -> Array:
    """The root of the mean square, 0-d."""
    return np.sqrt(np.mean(x * x))


def rank_one(h: Hyper, r: Array, c: Array, rows: int) -> Array:
    """The estimate of g^2 from its averages r by row and c by column."""
    mean = np.mean(r, axis=rows, keepdims=True)
    return r / (mean if h.eps_placement == "in_square" else np.maximum(mean, h.eps1)) * c


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t=t, r=s.r, c=s.c, v=s.v, m=s.m), p
    if h.maximize:
        g = -g
    beta2 = np.minimum(1 - t ** (-h.decay_rate), h.beta2_cap)
    square = g * g + h.eps1 if h.eps_placement == "in_square" else g * g
    axes = factored_axes(h, p.shape)
    r, c, v, m = s.r, s.c, s.v, s.m
    if axes is None:
        v = beta2 * s.v + (1 - beta2) * square
        V = v
    else:
        columns, rows = axes
        r = beta2 * s.r + (1 - beta2) * np.mean(square, axis=columns, keepdims=True)
        c = beta2 * s.c + (1 - beta2) * np.mean(square, axis=rows, keepdims=True)
        V = rank_one(h, r, c, rows)
    root = np.sqrt(V)
    u = g / (root if h.eps_placement == "in_square" else np.maximum(root, h.eps1))
    if h.clip == "rms":
        u = u / np.maximum(rms(u) / h.clip_threshold, 1.0)
    if h.step_size == "constant":
        rho = h.lr
    else:
        rho = np.minimum(t**-0.5, h.lr if h.step_size == "relative" else 1e-6 * t)
    size = np.maximum(rms(p), h.eps2) * rho if h.parameter_scale == "rms" else rho
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    elif h.decay == "step":
        p = p - h.weight_decay * size * p
    if h.parameter_scale == "rms_after_decay":
        size = np.maximum(rms(p), h.eps2) * rho
    if h.momentum == "of_step":
        m = h.beta1 * s.m + (1 - h.beta1) * (size * u)
    elif h.momentum == "of_update":
        m = h.beta1 * s.m + (1 - h.beta1) * u
    move = m if h.momentum == "of_step" else size * (m if h.momentum == "of_update" else u)
    if h.decay == "unscaled":
        move = move + h.weight_decay * p
    return State(t=t, r=r, c=c, v=v, m=m), p - move
