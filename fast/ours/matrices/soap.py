"""SOAP: Adam in the eigenbases of Shampoo's factors, by LAPACK's float32 decompositions."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import along, gram, is_finite, joined, separated, squares
from truestep.fast.ours.matrices.parts import combined, combined_square
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.soap import Hyper

ARITHMETIC = "ieee_float32"
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    # The authors' code and pytorch-optimizer.
    {"eps_placement": "before_correction", "order": "sorted"},
    {"eps_placement": "before_correction", "normalization": "rms", "order": "sorted"},
)
# The authors' guard of a step of length zero.
TINY = 1e-30


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p, moments, factors and bases."""
    if h.maximize:
        g = -g
    axes = rotated_axes(h, p.shape)
    sides = [p.shape[i] for i in axes]
    factors, bases = (
        dict(zip(axes, separated(state[name], sides), strict=True)) for name in ("factors", "bases")
    )
    m, v = state["m"], state["v"]
    if t > 1:
        m = combined(1 - h.beta1, g, h.beta1, m)
        v = combined_square(1 - h.beta2, rotated(bases, g), h.beta2, v)
        size, d = direction(h, t - 1, bases, m, v)
        shrink = 1 - h.lr * h.weight_decay
        if h.decay == "before":
            p = combined(-size, d, shrink, p)
        else:
            p = combined(-size, d, 1.0, p) * shrink
    for i in axes:
        factors[i] = h.shampoo_beta * factors[i] + (1 - h.shampoo_beta) * gram(g, i)
        if t == 1:
            bases[i] = eigenvectors(factors[i])
        elif (t - 1) % h.precondition_frequency == 0:
            bases[i], v = refreshed(h, factors[i], bases[i], v, i)
    after = {"factors": joined(list(factors.values())), "bases": joined(list(bases.values()))}
    return p, {"m": m, "v": v, **after}


def rotated_axes(h: Hyper, shape: tuple[int, ...]) -> list[int]:
    """The axes that have a factor and a basis."""
    if len(shape) == 1 and h.vectors == "plain":
        return []
    return [i for i, n in enumerate(shape) if n <= h.max_dim]


def rotated(bases: Mapping[int, Array], x: Array) -> Array:
    """x in the coordinates of the bases."""
    for i, q in bases.items():
        x = along(q.T, x, i)
    return x


def direction(
    h: Hyper, k: int, bases: Mapping[int, Array], m: Array, v: Array
) -> tuple[float, Array]:
    """The size and the direction of the step of Adam, its k-th, in the coordinates of p."""
    corrected = h.bias_correction == "both"
    left1, left2 = (1 - h.beta1**k, 1 - h.beta2**k) if corrected else (1.0, 1.0)
    m, factor = rotated(bases, m), 1.0
    if h.eps_placement == "outside":
        d = m * (1 / left1) / (np.sqrt(v * (1 / left2)) + h.eps)
    else:
        d, factor = m / (np.sqrt(v) + h.eps), left2**0.5 / left1
    for i, q in bases.items():
        d = along(q, d, i)
    if h.normalization != "none":
        rms = np.sqrt(squares(d) / d.size)
        d = d / np.float32(rms + (TINY if h.normalization == "rms" else h.eps))
    return h.lr * factor, d


def eigenvectors(a: Array) -> Array:
    """Eigenvectors of a symmetric matrix, the largest eigenvalue first; nan where a is."""
    if not is_finite(a):
        return a * np.float32(np.nan)
    return np.ascontiguousarray(np.linalg.eigh(a)[1][:, ::-1])


def refreshed(h: Hyper, a: Array, q: Array, v: Array, axis: int) -> tuple[Array, Array]:
    """The basis q after a step of power iteration with a, and v in the order of its columns."""
    x = a @ q
    if h.order == "sorted":
        order = np.argsort(-np.einsum("ij,ij->j", q, x, dtype=np.float64))
        x, v = x[:, order], np.take(v, order, axis=axis)
    return (np.linalg.qr(x)[0] if is_finite(x) else x * np.float32(np.nan)), v
