"""K-FAC of one dense layer: both factors' inverses by LAPACK's float32 eigenvectors."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import is_finite
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.kfac import Hyper

ARITHMETIC = "ieee_float32"
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    {"decay": "coupled"},
    {"balance": "one", "decay": "before"},
)


def step(
    h: Hyper, t: int, p: Array, g: Array, state: State, *, activations: Array, derivatives: Array
) -> tuple[Array, dict[str, Array]]:
    """The new p and factors."""
    kept = min(1 - 1 / t, h.ema)
    inputs = kept * state["factor_a"] + (1 - kept) * second_moment(activations)
    outputs = kept * state["factor_s"] + (1 - kept) * second_moment(derivatives)
    damping = h.damping
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        g = g + h.weight_decay * p
        damping += h.weight_decay if h.decay == "damped" else 0.0
    root, share = damping**0.5, ratio(h, inputs, outputs)
    matrix = g.reshape(len(outputs), len(inputs))
    left, right = inverse(outputs, root / share), inverse(inputs, root * share)
    moved = (left @ matrix @ right).reshape(p.shape)
    return p - h.lr * moved, {"factor_a": inputs, "factor_s": outputs}


def second_moment(x: Array) -> Array:
    """The mean over the examples, x's rows, of their outer products with themselves."""
    return np.asarray(x.T @ x / x.shape[0])


def ratio(h: Hyper, inputs: Array, outputs: Array) -> float:
    """How damping is shared between the factors: the root of the ratio of mean eigenvalues."""
    of_inputs, of_outputs = (np.trace(x, dtype=np.float64) / len(x) for x in (inputs, outputs))
    if h.balance == "one" or of_inputs == 0 or of_outputs == 0:
        return 1.0
    return float(np.sqrt(of_inputs / of_outputs))


def inverse(a: Array, shift: float) -> Array:
    """(a + shift I)^-1 of a positive semidefinite a; nan where a is not finite."""
    if not is_finite(a):
        return a * np.float32(np.nan)
    values, vectors = np.linalg.eigh(a)
    return np.asarray((vectors / (np.maximum(values, 0) + np.float32(shift))) @ vectors.T)
