"""Muon: momentum, and a Newton-Schulz iteration of its matrix in float32."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import inner
from truestep.fast.ours.matrices.newton_schulz import as_matrix, orthogonalized
from truestep.fast.ours.matrices.parts import combined
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.muon import Hyper

ARITHMETIC = "ieee_float32"
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    # torch.optim.Muon and pytorch-optimizer, and the former's match_rms_adamw.
    {"momentum_form": "ema", "norm_guard": "floor", "scale": "tall"},
    {"momentum_form": "ema", "norm_guard": "floor", "scale": "rms"},
    # Keras, optax, heavyball.
    {"decay": "in_step", "scale": "rms"},
    {"decay": "in_step", "momentum_form": "debiased", "scale": "wide"},
    {"coefficients": "quintic", "momentum_form": "added", "norm_guard": "floor", "scale": "tall"},
    # Polar Express as pytorch-optimizer and Dion take it; DeepSeek-V4.
    {
        "coefficients": "polar_express_2e-2",
        "momentum_form": "ema",
        "norm_guard": "floor",
        "scale": "tall",
    },
    {"coefficients": "eight_and_two", "momentum_form": "ema", "scale": "rms"},
)


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p and b."""
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = combined(h.weight_decay, p, 1.0, g)
    b, m = with_momentum(h, t, state["b"], g)
    matrix = as_matrix(m)
    x = orthogonalized(h, matrix, h.eps)
    if h.magnitude == "dual_norm":
        x = np.float32(inner(matrix, x)) * x
    scale, x = shape_scale(h, *matrix.shape), x.reshape(p.shape)
    if h.decay == "in_step":
        return combined(-h.lr, combined(h.weight_decay, p, scale, x), 1.0, p), {"b": b}
    shrink = 1 - h.lr * h.weight_decay if h.decay == "before" else 1.0
    return combined(-h.lr * scale, x, shrink, p), {"b": b}


def with_momentum(h: Hyper, t: int, b: Array, g: Array) -> tuple[Array, Array]:
    """The new b, and what is orthogonalized."""
    kept, weight = h.momentum, 1 - h.momentum
    if h.momentum_form == "in_average":
        weight = (1 - h.momentum) / (1 - h.momentum**t)
        kept = 1 - weight
    new = 1.0 if h.momentum_form == "sum" else weight
    b = combined(new, g, kept, b)
    if h.momentum_form == "debiased":
        now = 1 / (1 - h.momentum**t)
        if not h.nesterov:
            return b, now * b
        return b, combined(now * new, g, h.momentum / (1 - h.momentum ** (t + 1)), b)
    if h.momentum_form == "added":
        new, kept = 1.0, 1.0
    return b, combined(new, g, kept, b) if h.nesterov else b


def shape_scale(h: Hyper, rows: int, columns: int) -> float:
    """The factor of the step for a matrix of this shape."""
    if h.scale == "none":
        return 1.0
    if h.scale == "rms":
        return float(h.rms * np.sqrt(max(rows, columns)))
    ratio = columns / rows if h.scale == "wide" else rows / columns
    return float(np.sqrt(ratio if h.scale == "ratio" else max(1.0, ratio)))
