"""AdaMuon: Muon's step divided element by element by its own average of size, as long as asked."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import length
from truestep.fast.ours.matrices.newton_schulz import as_matrix, decayed, orthogonalized, signs
from truestep.fast.ours.matrices.parts import combined, combined_square
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.adamuon import Hyper

ARITHMETIC = "ieee_float32"
# pytorch-optimizer's, but for its length and its decay.
_PLAIN = {
    "bias_correction": "second",
    "length_guard": "added",
    "momentum_form": "ema",
    "norm_guard": "floor",
    "stabilization": "none",
}
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    # The authors' code, and pytorch-optimizer thrice.
    {"length_guard": "added", "momentum_form": "ema", "nan_sign": "zero"},
    _PLAIN,
    {**_PLAIN, "length": "tall"},
    {**_PLAIN, "decay": "coupled"},
    {"coefficients": "quintic", "stabilization": "none"},
)


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p, b and v."""
    g, shrink = decayed(h, p, g)
    new = 1.0 if h.momentum_form == "sum" else 1 - h.momentum
    b = combined(new, g, h.momentum, state["b"])
    m = as_matrix(combined(new, g, h.momentum, b) if h.nesterov else b)
    o = orthogonalized(h, signs(h, m) if h.stabilization == "sign" else m, h.ns_eps)
    v = combined_square(1 - h.beta2, o.reshape(p.shape), h.beta2, state["v"])
    left = 1 - h.beta2**t if h.bias_correction == "second" else 1.0
    d = o.reshape(p.shape) / (np.sqrt(v * np.float32(1 / left)) + np.float32(h.eps))
    size = np.float64(length(d)) + (h.eps if h.length_guard == "added" else 0.0)
    factor = float(-h.lr * (due_length(h, *m.shape) / size))
    return combined(factor, d, shrink, p), {"b": b, "v": v}


def due_length(h: Hyper, rows: int, cols: int) -> float:
    """The length of the step, before lr."""
    if h.length == "tall":
        return float(np.sqrt(min(rows, cols)) * np.sqrt(max(1, rows / cols)))
    return float(h.rms * np.sqrt(rows * cols))
