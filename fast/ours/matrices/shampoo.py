"""Shampoo: a preconditioner for every axis, its root by LAPACK's float32 decomposition."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import along, gram, is_finite, joined, separated
from truestep.fast.ours.matrices.parts import combined
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.shampoo import Hyper

ARITHMETIC = "ieee_float32"
_FED_BACK = {"momentum_form": "fed_back", "spectrum": "as_found"}
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    # torch_optimizer, pytorch-optimizer.
    {"exponent": "order", "statistics": "preconditioned", **_FED_BACK},
    {**_FED_BACK, "timing": "multiples"},
)


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p, m, factors and roots."""
    if h.maximize:
        g = -g
    if h.momentum_form == "fed_back" and t > 1:
        g = combined(1 - h.momentum, g, h.momentum, state["m"])
    if h.decay == "coupled":
        g = combined(h.weight_decay, p, 1.0, g)
    m = g
    if h.momentum_form == "averaged":
        m = combined(1 - h.momentum, g, h.momentum, state["m"])
    factors, roots = (separated(state[name], p.shape) for name in ("factors", "roots"))
    due = (t if h.timing == "multiples" else t - 1) % h.precondition_frequency == 0
    power = p.ndim if h.exponent == "order" else 2 * p.ndim
    x = m
    for i in range(p.ndim):
        factors[i] = factors[i] + gram(g, i)
        if due:
            roots[i] = inverse_root(h, factors[i], power)
        x = along(roots[i], x, i)
        if h.statistics == "preconditioned":
            g = along(roots[i], g, i)
    after = {"m": x if h.momentum_form == "fed_back" else m}
    after |= {"factors": joined(factors), "roots": joined(roots)}
    shrunk = {"coupled": 0.0, "before": h.lr, "unscaled": 1.0}[h.decay] * h.weight_decay
    return combined(-h.lr, x, 1 - shrunk, p), after


def inverse_root(h: Hyper, a: Array, power: int) -> Array:
    """a^(-1 / power); nan where a is not finite."""
    if not is_finite(a):
        return a * np.float32(np.nan)
    if h.spectrum == "as_found":
        left, values, right = np.linalg.svd(a, full_matrices=False)
        return np.asarray((left * values ** (-1 / power)) @ right)
    values, vectors = np.linalg.eigh(a)
    return np.asarray((vectors * np.maximum(values, h.eps) ** (-1 / power)) @ vectors.T)
