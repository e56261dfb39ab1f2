"""Correct float32 kernels of the rules that look into a dense layer, line by line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from truestep.properties.museum.lines import Home, Kernel
from truestep.properties.museum.matrix_kernels import power


def second_moment(x: Any) -> Any:
    """The mean over the examples, in rows, of their outer products."""
    return x.T @ x / len(x)


def balance(x: Any) -> Any:
    """K-FAC's pi: how damping is shared between the factors."""
    a, s = np.trace(x.a) / len(x.a), np.trace(x.d) / len(x.d)
    return np.float32(1) if a == 0 or s == 0 else np.sqrt(a / s)


KFAC: Kernel = {
    "t": lambda x: x.s.t + 1,
    "c": lambda x: min(1 - 1 / x.t, x.h.ema),
    "a": lambda x: x.c * x.s.factor_a + (1 - x.c) * second_moment(x.activations),
    "d": lambda x: x.c * x.s.factor_s + (1 - x.c) * second_moment(x.derivatives),
    "g": lambda x: x.g + x.h.weight_decay * x.p,
    "damping": lambda x: math.sqrt(x.h.damping + x.h.weight_decay),
    "pi": balance,
    "output_shift": lambda x: x.damping / x.pi,
    "input_shift": lambda x: x.pi * x.damping,
    "outputs_inverse": lambda x: power(x.d, -1.0, shift=x.output_shift),
    "inputs_inverse": lambda x: power(x.a, -1.0, shift=x.input_shift),
    "direction": lambda x: x.outputs_inverse @ x.g @ x.inputs_inverse,
    "new_p": lambda x: x.p - x.h.lr * x.direction,
    "new_t": lambda x: x.t,
    "new_factor_a": lambda x: x.a,
    "new_factor_s": lambda x: x.d,
}


def doubly_damped(x: Any) -> tuple[Any, Any]:
    """K-BFGS's pair for the outputs' matrix, of curvature between what both dampings allow."""
    s, y, mu = x.s_g, x.y_g, math.sqrt(x.h.damping)
    hy = x.s.inverse_g @ y
    yhy = y @ hy
    if s @ y < np.float32(0.2) * yhy:
        theta = np.float32(0.8) * yhy / (yhy - s @ y)
        s = theta * s + (1 - theta) * hy
    if s @ y < mu * (s @ s):
        nu = (1 - mu) * (s @ s) / (s @ s - s @ y)
        y = nu * y + (1 - nu) * s
    return s, y


def bfgs(inverse: Any, s: Any, y: Any) -> Any:
    """BFGS's inverse matrix after the pair s, y of positive curvature."""
    if s @ y <= 0:
        return inverse
    rho, hy = 1 / (s @ y), inverse @ y
    cross = np.outer(rho * s, hy)
    return inverse + (1 + rho * (y @ hy)) * np.outer(rho * s, s) - (cross + cross.T)


def change(x: Any, after: str, before: str) -> Any:
    """The mean change over the batch of what has these names."""
    return np.mean(getattr(x, after) - getattr(x, before), axis=0)


KBFGS: Kernel = {
    "g": lambda x: x.g + x.h.weight_decay * x.p,
    "m": lambda x: x.h.momentum * x.s.m + (1 - x.h.momentum) * x.g,
    "direction": lambda x: x.s.inverse_g @ x.m @ x.s.inverse_a,
    "s_g": lambda x: x.h.ema * x.s.s_g + (1 - x.h.ema) * change(x, "outputs_after", "outputs"),
    "y_g": lambda x: (
        x.h.ema * x.s.y_g + (1 - x.h.ema) * change(x, "derivatives_after", "derivatives")
    ),
    "pair": doubly_damped,
    "inverse_g": lambda x: bfgs(x.s.inverse_g, *x.pair),
    "factor_a": lambda x: x.h.ema * x.s.factor_a + (1 - x.h.ema) * second_moment(x.activations),
    "s_a": lambda x: x.s.inverse_a @ np.mean(x.activations, axis=0),
    "y_a": lambda x: x.factor_a @ x.s_a + math.sqrt(x.h.damping) * x.s_a,
    "inverse_a": lambda x: bfgs(x.s.inverse_a, x.s_a, x.y_a),
    "new_p": lambda x: x.p - x.h.lr * x.direction,
    "new_t": lambda x: x.s.t + 1,
    "new_m": lambda x: x.m,
    "new_factor_a": lambda x: x.factor_a,
    "new_inverse_a": lambda x: x.inverse_a,
    "new_inverse_g": lambda x: x.inverse_g,
    "new_s_g": lambda x: x.s_g,
    "new_y_g": lambda x: x.y_g,
}

LAYER_KERNELS = {
    "kbfgs": Home(KBFGS, shapes="matrices"),
    "kfac": Home(KFAC, shapes="matrices"),
}
