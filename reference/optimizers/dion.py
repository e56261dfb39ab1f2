"""Dion, low-rank orthonormal steps with what they miss fed back (Ahn et al. 2025).

Rule
    g_t = -g when maximizing, else g, as a matrix of m rows and n columns
    B = b_{t-1} + g_t
    P = orthonormal columns of B q_{t-1}, by a QR decomposition
    R = B^T P
    b_t = B - (1 - momentum) P R^T
    q_t = R, each column divided by its norm + eps
    p_t = p_{t-1} (1 - lr weight_decay) - lr sqrt(m / n) P q_t^T

Shapes
    p, g, b: one shape, any rank, taken as a matrix as by Muon: the first axis by all others.
    q: (n, r), r the least of rank, m and n; of empty tensors (0, 0). t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= momentum < 1; rank an integer >= 1.

Choices
    The first q is drawn, here by NumPy's generator of the seed 0; libraries draw their own. The
    authors' code decomposes in float32 whatever the parameters are, and in parts over ranks by
    Cholesky factors of sketches, which is the same but for rounding and signs.

Special cases
    g = 0 from the start leaves p to the decay and makes q zero: at the next step P is whatever the
    decomposition makes of a zero matrix, LAPACK columns of the identity. With eps = 0 it is 0/0,
    nan. nan or inf in g makes all of p, b and q nan. Empty tensors stay empty and advance t.

Judged
    p, b and |q| by the sampled contract, t exactly: columns of P and q have a sign in common, which
    the decomposition chooses and no later step sees.

Sources
    K. Ahn, B. Xu, N. Abreu, Y. Fan, G. Magakyan, P. Sharma, Z. Zhan, J. Langford, "Dion:
    Distributed Orthonormalized Updates", 2025 (arXiv:2504.05295), algorithm 1. The authors'
    dion_simple.py (microsoft/dion, 0a059a4).
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Decay, Epsilon, First, Momentum, Number, Rate, Switch
from truestep.reference.newton_schulz import as_matrix
from truestep.reference.optimizers.scion import lengths
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of Dion; the defaults are the authors', whose rank is 768, but for rank."""

    lr: Rate = 0.01
    momentum: Momentum = 0.95
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.01
    rank: Annotated[int, Count(1, (4, 2, 1, 768))] = 4
    maximize: Switch = False


class State(declared.State):
    """Momentum b, shaped like p, right vectors q, and the number t of steps made."""

    t: int
    b: First
    q: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero momentum, drawn vectors, t = 0."""
    zeros = np.zeros_like(p)
    if p.size == 0:
        return State(t=0, b=zeros, q=np.zeros((0, 0)))
    rows, cols = as_matrix(zeros).shape
    q = np.random.default_rng(0).standard_normal((cols, min(h.rank, rows, cols)))
    return State(t=0, b=zeros, q=q)


def orthonormal(x: Array) -> Array:
    """Orthonormal columns that span those of x, in order."""
    return np.linalg.qr(x)[0] if np.all(np.isfinite(x)) else x * np.nan


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t=t, b=s.b, q=s.q), p
    if h.maximize:
        g = -g
    p = p * (1 - h.lr * h.weight_decay)
    full = as_matrix(s.b + g)
    left = orthonormal(full @ s.q)
    right = full.T @ left
    b = full - (1 - h.momentum) * (left @ right.T)
    q = right / (lengths(right, 0) + h.eps)
    rows, cols = full.shape
    p = p - h.lr * np.sqrt(rows / cols) * (left @ q.T).reshape(p.shape)
    return State(t=t, b=b.reshape(p.shape), q=q), p


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines of the new state and the new p: all but signs of columns."""
    return {"b": s.b, "q": np.abs(s.q), "p": p}


# The decomposition mixes all elements of a matrix.
FACTS = Facts(elementwise=False, matrices=True, observables=observables)
