"""NorMuon: Muon's step with its rows divided by their own averages of size, as long as asked."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import length, lengths
from truestep.fast.ours.matrices.newton_schulz import as_matrix, decayed, orthogonalized
from truestep.fast.ours.matrices.parts import combined
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.normuon import Hyper

ARITHMETIC = "ieee_float32"
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    # The authors' code, pytorch-optimizer twice, and Dion's repository.
    {"length": "kept_tall", "length_guard": "added"},
    {"length": "kept_tall", "length_guard": "added", "norm_guard": "floor"},
    {"decay": "coupled", "length": "kept_rms", "length_guard": "added", "norm_guard": "floor"},
    {"length": "kept_ratio", "length_guard": "floor", "momentum_form": "sum"},
    {"coefficients": "polar_express_2e-2", "length_guard": "floor", "momentum_form": "sum"},
)


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p, b and v."""
    g, shrink = decayed(h, p, g)
    new = 1.0 if h.momentum_form == "sum" else 1 - h.momentum
    b = combined(new, g, h.momentum, state["b"])
    m = combined(new, g, h.momentum, b) if h.nesterov else b
    o = orthogonalized(h, as_matrix(m), h.ns_eps)
    squares = lengths(o, 1) ** 2 / o.shape[1]
    v = (h.beta2 * state["v"].astype(np.float64) + (1 - h.beta2) * squares).astype(np.float32)
    d = o / (np.sqrt(v) + np.float32(h.eps))
    return combined(-h.lr * way(h, o, d), d.reshape(p.shape), shrink, p), {"b": b, "v": v}


def way(h: Hyper, o: Array, d: Array) -> float:
    """By what d is to be multiplied, before lr."""
    size = np.float64(length(d))
    if h.length_guard == "added":
        size = size + h.eps
    elif h.length_guard == "floor":
        size = np.maximum(size, h.eps)
    rows, cols = o.shape
    if h.length == "rms":
        return float(h.rms * np.sqrt(rows * cols) / size)
    scale = {
        "kept": 1.0,
        "kept_tall": np.sqrt(max(1, rows / cols)),
        "kept_ratio": np.sqrt(rows / cols),
        "kept_rms": h.rms * np.sqrt(max(rows, cols)),
    }[h.length]
    return float(scale * (length(o) / size))
