"""Scion: an average of gradients, and the point of a ball that is farthest along it."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import lengths
from truestep.fast.ours.matrices.newton_schulz import as_matrix, decayed, orthogonalized, signs
from truestep.fast.ours.matrices.parts import combined
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.scion import Hyper

ARITHMETIC = "ieee_float32"
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    {"norm": "sign"},
    {"norm": "row"},
    {"norm": "column"},
    # pytorch-optimizer, but for its decay, and heavyball.
    {"norm_guard": "floor"},
    {"decay": "coupled", "norm_guard": "floor"},
    {"nan_sign": "zero", "norm": "sign"},
    {"coefficients": "quintic", "momentum_form": "in_average", "norm_guard": "floor"},
)


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p and d."""
    g, shrink = decayed(h, p, g)
    kept, weight = h.momentum, 1 - h.momentum
    if h.momentum_form == "in_average":
        weight = (1 - h.momentum) / (1 - h.momentum**t)
        kept = 1 - weight
    d = combined(weight, g, kept, state["d"])
    size, x = boundary(h, as_matrix(d))
    return combined(-h.lr * (h.radius * size), x.reshape(p.shape), shrink, p), {"d": d}


def boundary(h: Hyper, d: Array) -> tuple[float, Array]:
    """The point of the unit ball farthest along matrix d, as a number times a matrix."""
    rows, cols = d.shape
    if h.norm == "spectral":
        scale = float(np.sqrt(rows / cols if h.normalized else rows))
        return max(1.0, scale) if h.max_scale else scale, orthogonalized(h, d, h.ns_eps)
    if h.norm == "sign":
        return 1 / cols if h.normalized else 1.0, signs(h, d)
    if h.norm == "row":
        size = lengths(d, 1) * (np.sqrt(cols) if h.normalized else 1.0)
    else:
        size = lengths(d, 0) / np.sqrt(rows) * (1.0 if h.normalized else cols)
    return 1.0, d / (size + h.eps).astype(np.float32)
