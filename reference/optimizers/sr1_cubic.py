"""SR1 with adaptive cubic regularization, ARCs-LSR1 (Ranganath, Singhal & Marcia 2025).

Over 120 lines: the pairs, the cubic model in their eigenbasis, and its root.

Rule
    f_t, g = value and gradient at p_{t-1}
    B: from curvature I, for each pair kept, the oldest first:  v = y - B s,  B += v v' / (s' v)
    B = curvature I + U diag(e) U',  U'U = I;   lambda_i = curvature + e_i
    g_U = U' g;  g_0 = g - U g_U
    s_U = -2 g_U / (lambda + sqrt(lambda^2 + 4 mu |g_U|)), element by element
    s_0 = -2 g_0 / (curvature + sqrt(curvature^2 + 4 mu |g_0|_2))
    s = U s_U + s_0, the least of m(s) = g' s + s' B s / 2 + mu / 3 (sum |s_U|^3 + |s_0|_2^3)
    ratio = (f_t - f(p_{t-1} + s)) / -m(s)
    p_t = p_{t-1} + s where ratio >= eta1, else p_{t-1}
    mu_{t+1} = mu / 2 where ratio > eta2, mu (1 + gamma1) / 2 where eta1 <= ratio <= eta2,
               mu (gamma1 + gamma2) / 2 elsewhere
    the pair s, y = gradient at p_{t-1} + s less g is kept where p moved and
    |s' v| >= skip |s|_2 |v|_2 > 0, v = y - B s

Shapes
    p: any shape, n = p.size; f maps an array of that shape to its value and gradient. steps,
    changes (the pairs s and y, the newest last): memory x n. kept: memory, 1 for a pair, else 0.
    mu: 0-d. t: the number of steps made. Each takes two evaluations of f.

Domain
    mu0, curvature > 0; 0 < eta1 <= eta2 < 1; 1 <= gamma1 <= gamma2; 0 < skip < 1; memory >= 1.

Choices
    pairs: those of accepted steps ("accepted"), or of rejected ones too ("every", Nocedal & Wright,
    Algorithm 6.2).
    The cubic norm is the 3-norm in a basis of eigenvectors. Those of the eigenvalue curvature are
    not determined: the basis is one that holds g_0, which makes their part a Euclidean norm. An
    initial matrix that is scaled anew as the steps go is left out. When the memory is full the
    oldest pair leaves B, and so does one whose s' v has become too small without it.

Special cases
    g = 0 leaves everything as it is, t too; so does an empty p. Where lambda_i <= 0, s_i is -sign(
    g_i) (sqrt(lambda_i^2 + 4 mu |g_i|) - lambda_i) / (2 mu), the same without cancellation; g_i = 0
    gives s_i = 0 (the hard case is not treated). y = B s, as on a quadratic once B is its matrix,
    keeps no pair. A ratio that is nan rejects the step.

Judged
    p and the state by the sampled contract where all replicates take one branch, t exactly.

Sources
    A. Ranganath, M. Singhal, R. Marcia, "Symmetric Rank-One Quasi-Newton Methods for Deep Learning
    Using Cubic Regularization", 2025 (arXiv:2502.12298). C. Cartis, N. Gould, Ph. Toint, "Adaptive
    cubic regularisation methods", Math. Programming 127 (2011), for mu. J. Nocedal, S. J. Wright,
    "Numerical Optimization", 2nd edition, 2006, section 6.2, for SR1 and the skip rule.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Curvature, First, Number, Real, Step
from truestep.reference.rules import Facts
from truestep.reference.validation import Array, require_ordered

# Scalar products run over the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "pairs": {"accepted": "pairs of accepted steps alone", "every": "pairs of rejected steps too"}
}

Function = Callable[[Array], tuple[Array, Array]]


class Hyper(declared.Hyper):
    """Hyperparameters: Cartis, Gould & Toint's constants, Nocedal & Wright's skip rule."""

    mu0: Annotated[float, Real(0.0, open="low", usual=(1.0, 0.1, 10.0))] = 1.0
    curvature: Annotated[float, Real(0.0, open="low", usual=(1.0, 0.3, 4.0))] = 1.0
    eta1: Annotated[float, Real(0.0, 1.0, "both", (0.1, 0.01, 0.5))] = 0.1
    eta2: Annotated[float, Real(0.0, 1.0, "high", (0.9, 0.75))] = 0.9
    gamma1: Annotated[float, Real(1.0, usual=(2.0, 1.5))] = 2.0
    gamma2: Annotated[float, Real(1.0, usual=(2.0, 3.0))] = 2.0
    skip: Annotated[float, Real(0.0, 1.0, "both", (1e-8, 1e-3, 0.3))] = 1e-8
    memory: Annotated[int, Count(1, (3, 10, 1, 2))] = 10
    pairs: Literal["accepted", "every"] = "accepted"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "eta1", "eta2")
        require_ordered(self, "gamma1", "gamma2")


class State(declared.State):
    """Pairs, which of them there are, the weight mu of the cubic term, and the counter t."""

    t: int
    steps: Step
    changes: First
    kept: Number
    mu: Curvature


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: no pairs, mu = mu0, t = 0."""
    pairs = np.zeros((h.memory, p.size))
    return State(0, pairs, pairs, np.zeros(h.memory), np.asarray(h.mu0))


def step(h: Hyper, s: State, p: Array, f: Function) -> tuple[State, Array]:
    """One step from state s at p on the function f: the new state and the new p."""
    if p.size == 0:
        return s, p
    value, g = f(p)
    g = g.reshape(-1)
    if np.max(np.abs(g)) == 0:
        return s, p
    vectors = residuals(h, s)
    moved, model = model_step(h, vectors, s.mu, g)
    there = p + moved.reshape(p.shape)
    new_value, new_g = f(there)
    ratio = (value - new_value) / -model
    accepted = ratio >= h.eta1
    if ratio > h.eta2:
        mu = s.mu / 2
    elif accepted:
        mu = s.mu * (1 + h.gamma1) / 2
    else:
        mu = s.mu * (h.gamma1 + h.gamma2) / 2
    pairs = (s.steps, s.changes, s.kept)
    if accepted or h.pairs == "every":
        pairs = remembered(h, vectors, *pairs, moved, new_g.reshape(-1) - g)
    return State(s.t + 1, *pairs, mu), there if accepted else p


def times(h: Hyper, vectors: list[tuple[Array, Array]], s: Array) -> Array:
    """B s, where B is curvature I and the rank-one terms v v' / w."""
    out = h.curvature * s
    for v, w in vectors:
        out = out + v * ((v @ s) / w)
    return out


def well_defined(h: Hyper, s: Array, v: Array) -> tuple[Array, bool]:
    """s' v, and whether the rank-one term v v' / (s' v) is safe."""
    w = s @ v
    least = h.skip * np.sqrt(s @ s) * np.sqrt(v @ v)
    return w, least > 0 and np.abs(w) >= least


def residuals(h: Hyper, s: State) -> list[tuple[Array, Array]]:
    """v and s' v of the pairs kept: the rank-one terms of B."""
    out: list[tuple[Array, Array]] = []
    for i in range(len(s.kept)):
        if s.kept[i] == 0:
            continue
        v = s.changes[i] - times(h, out, s.steps[i])
        w, safe = well_defined(h, s.steps[i], v)
        if safe:
            out.append((v, w))
    return out


def remembered(
    h: Hyper,
    vectors: list[tuple[Array, Array]],
    steps: Array,
    changes: Array,
    kept: Array,
    s: Array,
    y: Array,
) -> tuple[Array, Array, Array]:
    """The pairs with s and y, unless the skip rule leaves it out."""
    if not well_defined(h, s, y - times(h, vectors, s))[1]:
        return steps, changes, kept
    return (
        np.concatenate([steps[1:], s.reshape(1, -1)]),
        np.concatenate([changes[1:], y.reshape(1, -1)]),
        np.concatenate([kept[1:], np.ones(1)]),
    )


def model_step(
    h: Hyper, vectors: list[tuple[Array, Array]], mu: Array, g: Array
) -> tuple[Array, Array]:
    """The least s of the cubic model, and m(s)."""
    rest, moved, model = g, 0.0, 0.0
    if vectors:
        # Columns v: B - curvature I = V diag(1 / w) V' = Q (R diag(1 / w) R') Q'.
        Q, R = np.linalg.qr(np.stack([v for v, _ in vectors], axis=1))
        inner = (R / np.stack([w for _, w in vectors])) @ R.T
        e, W = np.linalg.eigh((inner + inner.T) / 2)
        U, eigenvalue = Q @ W, h.curvature + e
        g_U = U.T @ g
        rest = g - U @ g_U
        s_U = root(eigenvalue, mu, g_U)
        moved = U @ s_U
        terms = g_U * s_U + eigenvalue * s_U * s_U / 2 + mu / 3 * np.abs(s_U) * s_U * s_U
        model = np.sum(terms)
    size = np.sqrt(rest @ rest)
    s_0 = -2 * size / (h.curvature + np.sqrt(h.curvature * h.curvature + 4 * mu * size))
    along = s_0 * rest / np.where(size > 0, size, 1.0)
    term = size * s_0 + h.curvature * s_0 * s_0 / 2 + mu / 3 * np.abs(s_0) * s_0 * s_0
    return moved + along, model + term


def root(eigenvalue: Array, mu: Array, g: Array) -> Array:
    """The s with g + eigenvalue s + mu |s| s = 0 that lies on the side of -g."""
    width = np.sqrt(eigenvalue * eigenvalue + 4 * mu * np.abs(g))
    positive = eigenvalue > 0
    small = -2 * g / np.where(positive, eigenvalue + width, 1.0)
    return np.where(positive, small, -np.sign(g) * (width - eigenvalue) / (2 * mu))
