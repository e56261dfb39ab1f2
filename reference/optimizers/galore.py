"""GaLore, Adam on gradients projected to their leading singular directions (Zhao et al. 2024).

Over 120 lines: the projections, when they are due, and what of them is determined.

Rule
    G_t = -G when maximizing, else G
    every update_gap steps, the first included: U S V^T = svd(G_t), P = first rank columns of U
    R_t = P^T G_t
    M_t = beta1 M_{t-1} + (1 - beta1) R_t
    N_t = beta2 N_{t-1} + (1 - beta2) R_t^2
    D_t = M_t / (1 - beta1^t) / (sqrt(N_t / (1 - beta2^t)) + eps)
    q_t = p_{t-1} - lr scale P D_t
    p_t = q_t - lr weight_decay q_t

Shapes
    p, g: one shape (m, n); tensors that are no matrices, and empty ones, take Adam's step as they
    are, without scale. left: (m, k) with k = min(rank, m, n), right: (k, n); the one that is not
    used is empty. m, v: (k, n), (m, k) or (k, k), whichever is projected. t: the number of steps
    made.

Domain
    lr, eps, scale, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; rank, update_gap integers
    >= 1.

Choices
    side: the paper and galore-torch project the "smaller" side, so that the moments keep the
    larger; optax the "larger"; galore-torch's other types are "left", "right" and "both" (its
    "full"). Of a square matrix galore-torch's "std" projects the right side, so does "smaller"
    here. The moments are kept as they are when the projector changes, as in the authors' code.
    eps_placement: "outside" as in the paper; galore-torch adds it "before_correction".
    decay: the paper has none; galore-torch subtracts it from the moved p ("after"),
    pytorch-optimizer multiplies the moved p by 1 - lr weight_decay ("shrunk"), which is the same
    but for rounding and for an infinite p.
    refresh: a projector is taken in the first step and every update_gap steps "from_first" on, at t
    = 1, 1 + update_gap, ...; pytorch-optimizer takes it in the first step and when t is one of the
    "multiples" of update_gap.
    galore-torch takes the decomposition in float32 also of float64 gradients.

Special cases
    The columns of U are determined up to sign where singular values are distinct: flipping a column
    flips a row of R, M and D and leaves P D as it is, since Adam is odd, but the moments are then
    another state. Where singular values coincide only the subspace is determined, and Adam on the
    coordinates of another basis is another step. g = 0 leaves p to the decay; any orthonormal P is
    then right. nan or inf in g has no decomposition: LinAlgError when P is due, else nan.

Judged
    By the sampled contract, whatever the signs of the projectors' columns: left left^T, right^T
    right, v, and m and p in the coordinates of p; m and p not at a refresh after the first step,
    where old moments meet new columns and the signs matter. t exactly.

Sources
    J. Zhao et al., "GaLore: Memory-Efficient LLM Training by Gradient Low-Rank Projection", ICML
    2024 (arXiv:2403.03507), Algorithm 2. The authors' galore-torch 1.0. pytorch-optimizer 4.1.
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
    Number,
    Rate,
    Real,
    Second,
    Switch,
)
from truestep.reference.rules import Facts, Signed
from truestep.reference.validation import Array

DIALECTS = {
    "decay": {
        "after": "weight decay, multiplied by lr, after the step",
        "shrunk": "parameters multiplied by 1 - lr weight_decay after the step",
        "before": "weight decay, multiplied by lr, before the step",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
    "refresh": {
        "from_first": "projectors taken in the first step and every update_gap steps after it",
        "multiples": "projectors taken in the first step and at multiples of update_gap",
    },
    "side": {
        "smaller": "the smaller side projected, the right one of a square",
        "larger": "the larger side projected, the left one of a square",
        "left": "the left side projected",
        "right": "the right side projected",
        "both": "both sides projected",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of GaLore; default numbers are the paper's, eps galore-torch's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-6
    weight_decay: Decay = 0.0
    scale: Annotated[float, Real(0.0)] = 0.25
    rank: Annotated[int, Count(1, (2, 1, 4, 128))] = 128
    update_gap: Annotated[int, Count(1, (3, 1, 2, 200))] = 200
    maximize: Switch = False
    decay: Literal["after", "shrunk", "before"] = "after"
    eps_placement: Literal["outside", "before_correction"] = "outside"
    refresh: Literal["from_first", "multiples"] = "from_first"
    side: Literal["smaller", "larger", "left", "right", "both"] = "smaller"


class State(declared.State):
    """Projectors left and right, moments m and v of the projected gradient, and the counter t."""

    t: int
    left: Number
    right: Number
    m: First
    v: Second


def projected_sides(h: Hyper, shape: tuple[int, ...]) -> tuple[bool, bool]:
    """Whether the left and the right side are projected."""
    if len(shape) != 2 or 0 in shape:
        return False, False
    wide = shape[0] < shape[1]
    if h.side == "smaller":
        return wide, not wide
    if h.side == "larger":
        return not wide, wide
    return h.side in ("left", "both"), h.side in ("right", "both")


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero projectors and moments, t = 0."""
    on_left, on_right = projected_sides(h, p.shape)
    k = min(h.rank, *p.shape) if on_left or on_right else 0
    left = np.zeros((p.shape[0], k)) if on_left else np.zeros((0, 0))
    right = np.zeros((k, p.shape[1])) if on_right else np.zeros((0, 0))
    zeros = project(left, right, np.zeros(p.shape))
    return State(t=0, left=left, right=right, m=zeros, v=zeros)


def project(left: Array, right: Array, g: Array) -> Array:
    """g in the coordinates of the projectors; an empty projector leaves its side as it is."""
    g = left.T @ g if left.size else g
    return g @ right.T if right.size else g


def project_back(left: Array, right: Array, x: Array) -> Array:
    """x in the coordinates of p."""
    x = left @ x if left.size else x
    return x @ right if right.size else x


def is_due(h: Hyper, t: int) -> bool:
    """Whether step t, the first being 1, takes new projectors."""
    if h.refresh == "from_first":
        return (t - 1) % h.update_gap == 0
    return t == 1 or t % h.update_gap == 0


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    left, right = s.left, s.right
    if (left.size or right.size) and is_due(h, t):
        u, _, v_transposed = np.linalg.svd(g, full_matrices=False)
        left = u[:, : left.shape[1]] if left.size else left
        right = v_transposed[: right.shape[0]] if right.size else right
    r = project(left, right, g)
    m = h.beta1 * s.m + (1 - h.beta1) * r
    v = h.beta2 * s.v + (1 - h.beta2) * (r * r)
    if h.eps_placement == "outside":
        d = m / (1 - h.beta1**t) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps)
    else:
        d = m / (1 - h.beta1**t) * np.sqrt(1 - h.beta2**t) / (np.sqrt(v) + h.eps)
    if left.size or right.size:
        d = h.scale * project_back(left, right, d)
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay) - h.lr * d
    elif h.decay == "shrunk":
        p = (p - h.lr * d) * (1 - h.lr * h.weight_decay)
    else:
        p = p - h.lr * d
        p = p - h.lr * h.weight_decay * p
    return State(t=t, left=left, right=right, m=m, v=v), p


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines of a new state and p, in which no column's sign is left."""
    found = with_signs(h, s, p)
    if (s.left.size or s.right.size) and s.t > 1 and is_due(h, s.t):
        # The moments are of the old projectors, whose signs the new ones need not have.
        del found["m"], found["p"]
    return found


def with_signs(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines where the projectors' signs are given."""
    planes = {"left": s.left @ s.left.T, "right": s.right.T @ s.right}
    return {**planes, "v": s.v, "m": project_back(s.left, s.right, s.m), "p": p}


# The projector mixes the elements of rows or columns; only matrices are projected.
FACTS = Facts(
    elementwise=False,
    matrices=True,
    observables=observables,
    signed=Signed(("left", "right"), with_signs),
)
