"""SOAP, Adam in the eigenbases of Shampoo's factors (Vyas et al. 2024).

Over 120 lines: Adam's step in a basis that is kept, sorted and refreshed beside it.

Rule
    G_t = -G when maximizing, else G; A_i = unfold_i(G) unfold_i(G)^T
    t = 1: L_i = (1 - shampoo_beta) A_i, Q_i its eigenvectors, largest eigenvalue first; p stays
    t > 1, with k = t - 1:
    G' = G_t x_1 Q_1^T x_2 Q_2^T ... (a matrix: Q_L^T G Q_R)
    m_t = beta1 m_{t-1} + (1 - beta1) G_t;  m' = m_t x_1 Q_1^T x_2 Q_2^T ...
    v_t = beta2 v_{t-1} + (1 - beta2) G'^2
    N' = m' / (1 - beta1^k) / (sqrt(v_t / (1 - beta2^k)) + eps)
    N = N' x_1 Q_1 x_2 Q_2 ... (a matrix: Q_L N' Q_R^T)
    p_t = (p_{t-1} - lr N) (1 - lr weight_decay)
    L_i = shampoo_beta L_i + (1 - shampoo_beta) A_i
    every precondition_frequency such steps: Q_i R = L_i Q_i, one step of power iteration (QR)

Shapes
    p, g, m, v: one shape, any rank. factors: L_1, ..., L_k with n_i x n_i elements, flattened and
    joined; bases: the Q_i likewise, at first I. Axes longer than max_dim have neither. t: the
    number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2, shampoo_beta < 1; max_dim and
    precondition_frequency integers >= 1.

Choices
    The first step only makes the bases, as in the authors' code, "so that we never use the current
    gradients in the projection". m_t is kept in the coordinates of p, as in the paper; the authors'
    code keeps m' and turns it with the bases, which is the same in exact arithmetic.
    order: the paper takes the QR factor of L Q as it comes ("kept"); the authors' code and
    pytorch-optimizer first sort the columns of Q by their Rayleigh quotients, the largest first,
    and v with them ("sorted").
    eps_placement: added to the root of the corrected moment ("outside"); all code adds it
    "before_correction". bias_correction: "both", or "none" (their correct_bias = False).
    normalization: "none", or N divided by its root mean square, to which the authors' code adds
    1e-30 ("rms", their normalize_grads) and pytorch-optimizer eps ("rms_eps"); bias corrections
    that go with lr, as they do "before_correction", are not divided out.
    decay: "after" as above, or "before".
    vectors: 1-D tensors take Adam's step as they are ("plain"), or are rotated ("rotated", their
    precondition_1d).
    Merged axes are left out, and so is heavyball's form, which lifts and corrects L.

Special cases
    The columns of Q_i are determined up to sign where eigenvalues are distinct: flipping one flips
    a slice of G', m' and N', and leaves v, N and p as they are. Where eigenvalues coincide, as on
    the null space of a first gradient of deficient rank, any basis is right, and Adam in another
    one is another step. With Q_i = I the step is Adam's. g = 0 leaves p to momentum and decay. nan
    in g makes m, v, p, factors and, when due, bases nan. Empty tensors stay empty and advance t.

Judged
    p, m, v, L_i, Q_i^T Q_i and |Q_i|, element by element, by the sampled contract; t exactly.

Sources
    N. Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025
    (arXiv:2409.11321), Algorithms 3 and 4; github.com/nikhilvyas/SOAP. pytorch-optimizer 4.1.
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
    Second,
    Squares,
    Switch,
)
from truestep.reference.factors import along, gram, joined, separated
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

DIALECTS = {
    "bias_correction": {
        "both": "moments corrected for their zero start",
        "none": "moments not corrected",
    },
    "decay": {
        "after": "weight decay, multiplied by lr, after the step",
        "before": "weight decay, multiplied by lr, before the step",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
    "normalization": {
        "none": "step as Adam has it",
        "rms": "step divided by its root mean square",
        "rms_eps": "step divided by its root mean square plus eps",
    },
    "order": {
        "kept": "columns of the bases stay in their order",
        "sorted": "columns of the bases sorted by their Rayleigh quotients",
    },
    "vectors": {"plain": "1-D tensors not rotated", "rotated": "1-D tensors rotated"},
}

# The authors' guard of a step of length zero.
TINY = 1e-30


class Hyper(declared.Hyper):
    """Hyperparameters of SOAP; the defaults of the numbers are the authors'."""

    lr: Rate = 3e-3
    beta1: Beta = 0.95
    beta2: Beta = 0.95
    shampoo_beta: Beta = 0.95
    eps: Epsilon = 1e-8
    weight_decay: Decay = 1e-2
    precondition_frequency: Annotated[int, Count(1, (1, 2, 10))] = 10
    max_dim: Annotated[int, Count(1, (10000, 5, 8, 1))] = 10000
    maximize: Switch = False
    bias_correction: Literal["both", "none"] = "both"
    decay: Literal["after", "before"] = "after"
    eps_placement: Literal["outside", "before_correction"] = "outside"
    normalization: Literal["none", "rms", "rms_eps"] = "none"
    order: Literal["kept", "sorted"] = "kept"
    vectors: Literal["plain", "rotated"] = "plain"


class State(declared.State):
    """Moments m and v, shaped like p, flattened factors and their bases, and the counter t."""

    t: int
    m: First
    v: Second
    factors: Squares
    bases: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments and factors, bases I, t = 0."""
    zeros = np.zeros_like(p)
    bases = joined([np.eye(p.shape[i]) for i in rotated_axes(h, p.shape)])
    return State(t=0, m=zeros, v=zeros, factors=np.zeros_like(bases), bases=bases)


def rotated_axes(h: Hyper, shape: tuple[int, ...]) -> list[int]:
    """The axes that have a factor and a basis."""
    if len(shape) == 1 and h.vectors == "plain":
        return []
    return [i for i, n in enumerate(shape) if n <= h.max_dim]


def by_axis(h: Hyper, flat: Array, shape: tuple[int, ...]) -> dict[int, Array]:
    """The square matrices whose elements are joined in flat, by their axis."""
    axes = rotated_axes(h, shape)
    return dict(zip(axes, separated(flat, [shape[i] for i in axes]), strict=True))


def rotated(bases: dict[int, Array], g: Array) -> Array:
    """g in the coordinates of the bases."""
    for i, q in bases.items():
        g = along(q.T, g, i)
    return g


def rotated_back(bases: dict[int, Array], x: Array) -> Array:
    """x in the coordinates of p."""
    for i, q in bases.items():
        x = along(q, x, i)
    return x


def eigenvectors(a: Array) -> Array:
    """Eigenvectors of a symmetric matrix, the largest eigenvalue first; nan where a is."""
    return np.linalg.eigh(a)[1][:, ::-1] if np.all(np.isfinite(a)) else a * np.nan


def refreshed(h: Hyper, a: Array, q: Array, v: Array, axis: int) -> tuple[Array, Array]:
    """The basis q after a step of power iteration with a, and v in the order of its columns."""
    x = a @ q
    if h.order == "sorted":
        order = np.argsort(-np.sum(q * x, axis=0))
        x = np.take_along_axis(x, order.reshape(1, -1), axis=1)
        across = [-1 if i == axis else 1 for i in range(v.ndim)]
        v = np.take_along_axis(v, order.reshape(across), axis=axis)
    return (np.linalg.qr(x)[0] if np.all(np.isfinite(x)) else x * np.nan), v


def adams(h: Hyper, k: int, m: Array, v: Array) -> tuple[Array, Array]:
    """Adam's step, its k-th, from the rotated moments, and a factor that goes with lr."""
    c1, c2 = (1 - h.beta1**k, 1 - h.beta2**k) if h.bias_correction == "both" else (1.0, 1.0)
    if h.eps_placement == "outside":
        return m / c1 / (np.sqrt(v / c2) + h.eps), 1.0
    return m / (np.sqrt(v) + h.eps), np.sqrt(c2) / c1


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t, k = s.t + 1, s.t
    if p.size == 0:
        return State(t, s.m, s.v, s.factors, s.bases), p
    if h.maximize:
        g = -g
    factors, bases = by_axis(h, s.factors, p.shape), by_axis(h, s.bases, p.shape)
    m, v = s.m, s.v
    if t > 1:
        m = h.beta1 * m + (1 - h.beta1) * g
        turned = rotated(bases, g)
        v = h.beta2 * v + (1 - h.beta2) * (turned * turned)
        inner, factor = adams(h, k, rotated(bases, m), v)
        d = rotated_back(bases, inner)
        if h.normalization != "none":
            rms = np.sqrt(np.mean(d * d))
            d = d / (rms + (TINY if h.normalization == "rms" else h.eps))
        d = h.lr * factor * d
        if h.decay == "before":
            p = p * (1 - h.lr * h.weight_decay) - d
        else:
            p = (p - d) * (1 - h.lr * h.weight_decay)
    for i, a in factors.items():
        factors[i] = h.shampoo_beta * a + (1 - h.shampoo_beta) * gram(g, i)
        if t == 1:
            bases[i] = eigenvectors(factors[i])
        elif k % h.precondition_frequency == 0:
            bases[i], v = refreshed(h, factors[i], bases[i], v, i)
    return State(t, m, v, joined(list(factors.values())), joined(list(bases.values()))), p


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """p, moments and factors, and of the bases what signs of columns leave as it is."""
    out = {"m": s.m, "v": s.v, "p": p}
    bases = by_axis(h, s.bases, p.shape)
    for i, a in by_axis(h, s.factors, p.shape).items():
        q = bases[i]
        out[f"factor_{i}"], out[f"orthogonality_{i}"] = a, q.T @ q
        out[f"basis_{i}"] = np.abs(q)
    return out


# The bases mix all elements of a tensor.
FACTS = Facts(elementwise=False, matrices=True, observables=observables)
