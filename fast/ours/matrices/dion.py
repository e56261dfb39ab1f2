"""Dion: a low-rank part of the momentum, orthonormalized by LAPACK's float32 decomposition."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import is_finite, lengths
from truestep.fast.ours.matrices.newton_schulz import as_matrix
from truestep.fast.ours.matrices.parts import combined
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.dion import Hyper

ARITHMETIC = "ieee_float32"
DIALECTS: Sequence[Mapping[str, str]] = ({},)


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p, b and q."""
    full = as_matrix(combined(-1.0 if h.maximize else 1.0, g, 1.0, state["b"]))
    sketch = full @ state["q"]
    left = np.linalg.qr(sketch)[0] if is_finite(sketch) else sketch * np.float32(np.nan)
    right = full.T @ left
    b = combined(-(1 - h.momentum), left @ right.T, 1.0, full)
    q = right / (lengths(right, 0) + h.eps).astype(np.float32)
    scale = float(np.sqrt(full.shape[0] / full.shape[1]))
    p = combined(-h.lr * scale, (left @ q.T).reshape(p.shape), 1 - h.lr * h.weight_decay, p)
    return p, {"b": b.reshape(p.shape), "q": q}
