"""What rules of Muon's family share: tensors as matrices, their iteration in float32, and decay."""

import numpy as np

from truestep.fast.ours.matrices.algebra import length
from truestep.fast.ours.matrices.parts import combined
from truestep.fast.protocol import Array
from truestep.reference.declared import Hyper
from truestep.reference.newton_schulz import triples


def as_matrix(x: Array) -> Array:
    """x with one row for each entry of its first axis."""
    return x.reshape(x.shape[0] if x.ndim else 1, -1)


def orthogonalized(h: Hyper, x: Array, eps: float) -> Array:
    """What the iteration makes of matrix x; products are of its shorter side.

    eps: the guard of its norm.
    """
    tall = x.shape[0] > x.shape[1]
    norm = length(x)
    divisor = norm + eps if h.norm_guard == "added" else np.maximum(norm, eps)
    x = (x.T if tall else x) / np.float32(divisor)
    for a, b, c in triples(h):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x


def decayed(h: Hyper, p: Array, g: Array) -> tuple[Array, float]:
    """The gradient with the decay that is added to it, and what p is multiplied by."""
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        return combined(h.weight_decay, p, 1.0, g), 1.0
    return g, float(1 - h.lr * h.weight_decay)


def signs(h: Hyper, x: Array) -> Array:
    """-1, 0 or 1; of nan nan or zero, by the dialect."""
    sign = np.sign(x)
    return np.where(np.isnan(x), np.float32(0), sign) if h.nan_sign == "zero" else sign
