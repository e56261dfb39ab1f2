"""APOLLO, gradients scaled by channel as Adam would scale a random projection (Zhu et al. 2024).

Over 120 lines: projection, scale and limit are the paper's three parts; APOLLO-Mini is one choice.

Rule
    G_t = -G when maximizing, else G
    every update_gap steps, the first included: P = a new (rank, m) matrix of N(0, 1/rank)
    R_t = P G_t
    M_t = beta1 M_{t-1} + (1 - beta1) R_t
    N_t = beta2 N_{t-1} + (1 - beta2) R_t^2
    S_t = M_t / (1 - beta1^t) / (sqrt(N_t / (1 - beta2^t)) + eps)
    s_j = |S_t[:, j]| / |R_t[:, j]| for each column j; APOLLO-Mini: s = |S_t| / |R_t|
    D_t = sqrt(scale) G_t diag(s)
    D_t = D_t growth |D_{t-1}| / |D_t| if t > 1 and |D_t| > growth |D_{t-1}|
    q_t = p_{t-1} - lr D_t
    p_t = q_t - lr weight_decay q_t

Shapes
    p, g: one shape (m, n) with m < n; of a matrix with m >= n the columns are projected and the
    rows are the channels. Tensors that are no matrices, and empty ones, take Adam's step as they
    are. projection: (rank, m) or (n, rank); m, v: (rank, n) or (m, rank). norm: |D_t|, 0-d. t: the
    number of steps made.

Domain
    lr, eps, scale, weight_decay >= 0 and finite; growth > 0; 0 <= beta1, beta2 < 1; rank and
    update_gap integers >= 1, seed an integer >= 0.

Choices
    The projection is part of the state, so that a step is a function of state and gradient but for
    the refreshes. Those draw from PCG64 seeded by (seed, number of the refresh). A library draws
    other numbers, apollo-torch from torch's generator: it is handed the projection, and declares an
    update_gap that no counter reaches.
    correction: the paper's moments are corrected, then everything follows ("first"); apollo-torch
    limits the growth of the uncorrected D and corrects the step ("last"), so that the limiter meets
    the growth of an uncorrected average as well.
    guard: s is 0 for a zero channel of R, and a zero |D_{t-1}| does not limit ("none");
    apollo-torch adds 1e-8 to the norms that divide ("eps"), and a zero gradient then holds |D| near
    1e-8.
    limiter: "growth" as above, as in Fira, or "none" (disable_nl), which leaves norm at 0.
    scaling: a factor for each channel ("channel") or one for the tensor ("tensor"); APOLLO-Mini is
    the latter with rank 1 and scale 128, so that P is of N(0, 1) and D = sqrt(128) s G.
    scale_placement: sqrt(scale) multiplies before the limiter ("before", apollo-torch's
    scale_front) or after it ("after", its default). The two are equal but for the guard, and norm
    is that of D where the limiter meets it.
    eps: at the root of the corrected moment where correction is "first", of the raw one where it is
    "last". decay: galore-torch's, of the moved p.

Special cases
    g = 0 gives D = 0 and leaves p to the decay. nan or inf in g makes the whole tensor nan.

Judged
    p, m, v, norm and what a refresh draws by the bounded contract; between refreshes the
    projection, and t, exactly.

Sources
    H. Zhu et al., "APOLLO: SGD-like Memory, AdamW-level Performance", MLSys 2025
    (arXiv:2412.05270), Algorithm 1. X. Chen et al., "Fira", arXiv:2410.01623, for the limiter. The
    authors' apollo-torch 1.0.3.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Above,
    Beta,
    Count,
    Decay,
    Epsilon,
    First,
    Number,
    Rate,
    Real,
    Second,
    Switch,
)
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# The projection mixes the elements of rows or columns; only matrices are projected.
FACTS = Facts(elementwise=False, matrices=True)
DIALECTS = {
    "correction": {
        "first": "moments corrected for their zero start before everything else",
        "last": Departure("corrections multiply lr, after the limiter"),
    },
    "guard": {
        "none": "zero norms taken as they are",
        "eps": Departure("1e-8 added to the norms that divide"),
    },
    "limiter": {
        "growth": "norm of the update limited to a multiple of the last",
        "none": "norm of the update not limited",
    },
    "scale_placement": {
        "before": "scale applied before the limiter",
        "after": "scale applied after the limiter",
    },
    "scaling": {
        "channel": "every channel of the gradient scaled by its own factor",
        "tensor": "the whole gradient scaled by one factor, as in APOLLO-Mini",
    },
}


# A number of steps between refreshes that no counter reaches.
NEVER = 2**40


class Hyper(declared.Hyper):
    """Hyperparameters of APOLLO; the defaults of the numbers are apollo-torch's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-6
    weight_decay: Decay = 0.0
    scale: Annotated[float, Real(0.0)] = 1.0
    growth: Above = 1.01
    rank: Annotated[int, Count(1, (2, 1, 4, 128))] = 128
    update_gap: Annotated[int, Count(1, (200, 1, 2, 5))] = 200
    seed: Annotated[int, Count(0, (0, 1, 7, 2**32))] = 0
    maximize: Switch = False
    correction: Literal["first", "last"] = "first"
    guard: Literal["none", "eps"] = "none"
    limiter: Literal["growth", "none"] = "growth"
    scale_placement: Literal["before", "after"] = "before"
    scaling: Literal["channel", "tensor"] = "channel"


class State(declared.State):
    """The projection, moments m and v of the projected gradient, the last norm, the counter t."""

    t: int
    projection: Number
    m: First
    v: Second
    norm: Number


def drawn(h: Hyper, shape: tuple[int, ...], refresh: int, zero: Array = 0.0) -> Array:
    """The projection of that refresh, counted from 0, of a matrix p of that shape.

    zero: a zero of the arithmetic in which the normal numbers are scaled.
    """
    rows, columns = shape
    size = (h.rank, rows) if rows < columns else (columns, h.rank)
    normal = np.random.Generator(np.random.PCG64((h.seed, refresh))).standard_normal(size)
    return (normal + zero) / np.sqrt(h.rank)


def project(projection: Array, g: Array) -> Array:
    """The gradient in the low-rank space."""
    return projection @ g if g.shape[0] < g.shape[1] else g @ projection


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: the first projection, zero moments, t = 0."""
    if p.ndim != 2 or p.size == 0:
        zeros = np.zeros_like(p)
        return State(t=0, projection=np.zeros((0, 0)), m=zeros, v=zeros, norm=np.zeros(()))
    projection = drawn(h, p.shape, 0)
    zeros = project(projection, np.zeros(p.shape))
    return State(t=0, projection=projection, m=zeros, v=zeros, norm=np.zeros(()))


def length(x: Array, axis: int | None = None) -> Array:
    """The Euclidean norm of x, 0-d, or of its columns (axis 0) or rows (axis 1)."""
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=axis is not None))


def factor_of(h: Hyper, scaled: Array, r: Array, wide: bool) -> Array:
    """The factor of each channel or of all: how much longer Adam makes it in the low-rank space."""
    axis = None if h.scaling == "tensor" else 0 if wide else 1
    size = length(r, axis)
    if h.guard == "eps":
        return length(scaled, axis) / (size + 1e-8)
    return np.where(size == 0, 0.0, length(scaled, axis) / np.where(size == 0, 1.0, size))


def limited(h: Hyper, t: int, d: Array, last: Array) -> tuple[Array, Array]:
    """The update and its norm after the limiter of growth."""
    if h.limiter == "none":
        return d, last
    norm = length(d)
    if t == 1:
        return d, norm
    if h.guard == "eps":
        factor = np.maximum(norm / (last + 1e-8), h.growth) / h.growth
        return d / factor, norm / factor
    ratio = np.maximum(norm / np.where(last == 0, 1.0, last), h.growth)
    factor = np.where(last == 0, 1.0, ratio / h.growth)
    return d / factor, norm / factor


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    low_rank = s.projection.size > 0
    projection = s.projection
    if low_rank and s.t > 0 and s.t % h.update_gap == 0:
        projection = drawn(h, p.shape, s.t // h.update_gap, np.zeros_like(projection))
    r = project(projection, g) if low_rank else g
    m = h.beta1 * s.m + (1 - h.beta1) * r
    v = h.beta2 * s.v + (1 - h.beta2) * (r * r)
    if h.correction == "first":
        scaled = m / (1 - h.beta1**t) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps)
        size = h.lr
    else:
        scaled = m / (np.sqrt(v) + h.eps)
        size = h.lr * (np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t))
    d, norm = scaled, s.norm
    if low_rank:
        d = g * factor_of(h, scaled, r, p.shape[0] < p.shape[1])
        if h.scale_placement == "before":
            d = np.sqrt(h.scale) * d
        d, norm = limited(h, t, d, s.norm)
        if h.scale_placement == "after":
            d = np.sqrt(h.scale) * d
    p = p - size * d
    p = p - h.lr * h.weight_decay * p
    return State(t=t, projection=projection, m=m, v=v, norm=norm), p
