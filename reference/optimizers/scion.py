"""Scion, steps to the boundary of a norm ball (Pethick et al. 2025).

Over 120 lines: a step for each of the balls.

Rule
    g_t = -g when maximizing, else g, as a matrix of m rows and n columns
    d_t = momentum d_{t-1} + (1 - momentum) g_t
    p_t = p_{t-1} (1 - lr weight_decay) - lr radius U(d_t), where U of the ball
    spectral: sqrt(m / n) NS(d), Muon's iteration, of d / (|d|_F + ns_eps)
    sign: sign(d) / n
    row: d / (sqrt(n) |row of d| + eps)
    column: d / (|column of d| / sqrt(m) + eps)

Shapes
    p, g, d: one shape, any rank, taken as a matrix as by Muon: the first axis by all others.
    t: the number of steps made.

Domain
    lr, eps, ns_eps, weight_decay >= 0 and finite; radius > 0; 0 <= momentum < 1;
    ns_a, ns_b, ns_c finite; ns_steps an integer >= 1.

Choices
    weight_decay: 1 is the paper's Scion, whose p stays in the ball, and 0 its unconstrained one.
    Libraries have a switch for both, and pytorch-optimizer a decay besides where the ball does not
    hold p: "before" the step or added to the gradient ("coupled").
    momentum: libraries take 1 - momentum, the paper's alpha_t, under that name. momentum_form:
    heavyball keeps the average corrected for its zero start, whose new part weighs
    (1 - momentum) / (1 - momentum^t) ("in_average").
    normalized: False leaves the size of the inputs out, with sqrt(m) in the place of sqrt(m / n),
    the sign as it is and rows by their length alone; of columns it divides by n besides, which
    libraries call normalized=True.
    max_scale: the spectral ball's scale is at least 1.
    norm_guard: ns_eps "added" to the norm (the authors), or its "floor" (pytorch-optimizer,
    heavyball). coefficients: as of Muon (reference/newton_schulz.py); heavyball's are "quintic".
    nan_sign: nan has the sign nan ("nan") or, in torch, "zero".
    A convolution's kernels are further balls, scaled by their own size; they have no form here.
    Drawing the first p within the ball is not part of the step.

Special cases
    d = 0 leaves p to the decay; with eps = 0 or ns_eps = 0 it is 0/0, nan. nan or inf in g makes
    nan of the element, its row or column, or all of p, by the ball; an infinite element has a sign.
    Empty tensors stay empty and advance t.

Judged
    p and d by the sampled contract, t exactly.

Sources
    T. Pethick, W. Xie, K. Antonakopoulos, Z. Zhu, A. Silveti-Falls, V. Cevher, "Training Deep
    Learning Models with Norm-Constrained LMOs", ICML 2025 (arXiv:2502.07529). The authors' scion.py
    (LIONS-EPFL/scion, f58a393); pytorch-optimizer 4.1; heavyball 3.2.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Decay, Epsilon, First, Momentum, Rate, Real, Switch
from truestep.reference.newton_schulz import as_matrix, orthogonalized
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

DIALECTS = {
    "coefficients": {
        "constant": "the same coefficients in every step of the iteration",
        "quintic": "modded-nanogpt's five triples of coefficients",
    },
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
    },
    "momentum_form": {
        "ema": "an average of gradients",
        "in_average": "an average of gradients, kept as it is when corrected",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
    "norm": {
        "spectral": "a ball of singular values",
        "sign": "a ball of elements",
        "row": "a ball of rows",
        "column": "a ball of columns",
    },
    "norm_guard": {"added": "ns_eps added to the norm", "floor": "ns_eps as a floor of the norm"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of Scion; the defaults of the numbers are the authors'."""

    lr: Rate = 1e-3
    momentum: Momentum = 0.9
    radius: Annotated[float, Real(0.0, open="low", usual=(1.0, 50.0, 3000.0, 0.5))] = 1.0
    weight_decay: Decay = 1.0
    eps: Epsilon = 1e-8
    ns_a: Annotated[float, Real(-np.inf, usual=(3.4445, 3.25, 3.0))] = 3.4445
    ns_b: Annotated[float, Real(-np.inf, usual=(-4.775, -5.0))] = -4.7750
    ns_c: Annotated[float, Real(-np.inf, usual=(2.0315, 1.9375))] = 2.0315
    ns_eps: Epsilon = 1e-7
    ns_steps: Annotated[int, Count(1, (5, 1, 3, 6))] = 5
    max_scale: Switch = False
    normalized: Switch = True
    maximize: Switch = False
    coefficients: Literal["constant", "quintic"] = "constant"
    decay: Literal["before", "coupled"] = "before"
    momentum_form: Literal["ema", "in_average"] = "ema"
    nan_sign: Literal["nan", "zero"] = "nan"
    norm: Literal["spectral", "sign", "row", "column"] = "spectral"
    norm_guard: Literal["added", "floor"] = "added"


class State(declared.State):
    """Average d of gradients, shaped like p, and the number t of steps made."""

    t: int
    d: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: a zero average shaped like p, t = 0."""
    return State(t=0, d=np.zeros_like(p))


def lengths(x: Array, axis: int) -> Array:
    """The norms of the columns (axis 0) or rows (axis 1)."""
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=True))


def boundary(h: Hyper, d: Array) -> Array:
    """The point of the unit ball that has the largest inner product with matrix d."""
    rows, cols = d.shape
    if h.norm == "spectral":
        scale = np.sqrt(rows / cols if h.normalized else rows)
        return (max(1.0, scale) if h.max_scale else scale) * orthogonalized(h, d)
    if h.norm == "sign":
        sign = np.sign(d)
        if h.nan_sign == "zero":
            sign = np.where(np.isnan(d), 0.0, sign)
        return sign / cols if h.normalized else sign
    if h.norm == "row":
        size = lengths(d, 1)
        return d / ((np.sqrt(cols) * size if h.normalized else size) + h.eps)
    size = lengths(d, 0) / np.sqrt(rows)
    return d / ((size if h.normalized else cols * size) + h.eps)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t=t, d=s.d), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - h.lr * h.weight_decay)
    kept, weight = h.momentum, 1 - h.momentum
    if h.momentum_form == "in_average":
        weight = (1 - h.momentum) / (1 - h.momentum**t)
        kept = 1 - weight
    d = kept * s.d + weight * g
    x = boundary(h, as_matrix(d)).reshape(p.shape)
    return State(t=t, d=d), p - h.lr * (h.radius * x)


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines of the new state and the new p: all of both."""
    return {"d": s.d, "p": p}


# In most balls all elements of a matrix, or of a row, enter each of its step.
FACTS = Facts(elementwise=False, matrices=True, observables=observables)
