"""Correct float32 kernels in NumPy, line by line: what the faults are planted in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from truestep.properties.museum.example_kernels import EXAMPLE_KERNELS
from truestep.properties.museum.layer_kernels import LAYER_KERNELS
from truestep.properties.museum.lines import Home, Kernel, Line, norm, run
from truestep.properties.museum.matrix_kernels import MATRIX_KERNELS
from truestep.properties.museum.memory_kernels import MEMORY_KERNELS

__all__ = ["KERNELS", "Home", "Kernel", "Line", "norm", "run"]

ADAMW: Kernel = {
    "h": lambda x: x.h,
    "t": lambda x: x.s.t + 1,
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "p": lambda x: x.p * (1 - x.h.lr * x.h.weight_decay),
    "m": lambda x: x.h.beta1 * x.s.m + (1 - x.h.beta1) * x.g,
    "v": lambda x: x.h.beta2 * x.s.v + (1 - x.h.beta2) * (x.g * x.g),
    "c1": lambda x: 1 - x.h.beta1**x.t,
    "c2": lambda x: 1 - x.h.beta2**x.t,
    "m_hat": lambda x: x.m / x.c1,
    "v_hat": lambda x: x.v / x.c2,
    "denominator": lambda x: np.sqrt(x.v_hat) + x.h.eps,
    "update": lambda x: x.m_hat / x.denominator,
    "new_p": lambda x: x.p - x.h.lr * x.update,
    "new_t": lambda x: x.s.t + 1,
    "new_m": lambda x: x.m,
    "new_v": lambda x: x.v,
}

_COUPLED: Kernel = {
    "g": lambda x: (-x.g if x.h.maximize else x.g) + x.h.weight_decay * x.p,
    "p": lambda x: x.p,
}

ADAM: Kernel = {**ADAMW, **_COUPLED}

AMSGRAD: Kernel = {
    **ADAM,
    "v_hat": lambda x: np.maximum(x.s.v_max, x.v) / x.c2,
    "new_v_max": lambda x: np.maximum(x.s.v_max, x.v),
}

LAMB: Kernel = {
    **{name: line for name, line in ADAMW.items() if name != "new_p"},
    "p": lambda x: x.p,
    "adam": lambda x: x.m_hat / x.denominator,
    "update": lambda x: x.m_hat / x.denominator + x.h.weight_decay * x.p,
    "p_norm": lambda x: norm(x.p),
    "update_norm": lambda x: norm(x.update),
    "ratio": lambda x: x.p_norm / (1 if x.update_norm == 0 else x.update_norm),
    "new_p": lambda x: x.p - x.h.lr * (x.ratio * x.update),
}

LION: Kernel = {
    "h": lambda x: x.h,
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "c": lambda x: x.h.beta1 * x.s.m + (1 - x.h.beta1) * x.g,
    "m": lambda x: x.h.beta2 * x.s.m + (1 - x.h.beta2) * x.g,
    "direction": lambda x: np.sign(x.c),
    "new_p": lambda x: x.p - x.h.lr * (x.direction + x.h.weight_decay * x.p),
    "new_t": lambda x: x.s.t + 1,
    "new_m": lambda x: x.m,
}

SGD: Kernel = {
    "h": lambda x: x.h,
    **_COUPLED,
    "b": lambda x: x.g if x.s.t == 0 else x.h.momentum * x.s.b + (1 - x.h.dampening) * x.g,
    "direction": lambda x: x.b if x.h.momentum > 0 else x.g,
    "new_p": lambda x: x.p - x.h.lr * x.direction,
    "new_t": lambda x: x.s.t + 1,
    "new_b": lambda x: x.b if x.h.momentum > 0 else x.s.b,
}

NESTEROV: Kernel = {
    **_COUPLED,
    "u": lambda x: x.h.momentum * x.s.u + x.g,
    "direction": lambda x: x.g + x.h.momentum * x.u,
    "new_p": lambda x: x.p - x.h.lr * x.direction,
    "new_t": lambda x: x.s.t + 1,
    "new_u": lambda x: x.u,
}


SOPHIA: Kernel = {
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "p": lambda x: x.p * (1 - x.h.lr * x.h.weight_decay),
    "m": lambda x: x.h.beta1 * x.s.m + (1 - x.h.beta1) * x.g,
    "due": lambda x: x.s.t % x.h.period == 0,
    "hessian": lambda x: x.h.beta2 * x.s.h + (1 - x.h.beta2) * x.estimate if x.due else x.s.h,
    "denominator": lambda x: np.maximum(x.h.gamma * x.hessian, np.float32(x.h.eps)),
    "u": lambda x: np.clip(x.m / x.denominator, -x.h.limit, x.h.limit),
    "new_p": lambda x: x.p - x.h.lr * x.u,
    "new_t": lambda x: x.s.t + 1,
    "new_m": lambda x: x.m,
    "new_h": lambda x: x.hessian,
}

LARS: Kernel = {
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "p_norm": lambda x: norm(x.p),
    "divisor": lambda x: norm(x.g) + x.h.weight_decay * x.p_norm + x.h.eps,
    "trust": lambda x: (
        x.h.trust_coefficient * x.p_norm / (x.divisor if x.divisor != 0 else np.float32(1))
    ),
    "update": lambda x: x.trust * (x.g + x.h.weight_decay * x.p),
    "b": lambda x: x.h.momentum * x.s.b + x.h.lr * x.update,
    "new_p": lambda x: x.p - x.b,
    "new_t": lambda x: x.s.t + 1,
    "new_b": lambda x: x.b,
}


def nadam_momentum(x: Any, t: int) -> float:
    """NAdam's mu at step t."""
    return float(x.h.beta1 * (1 - 0.5 * 0.96 ** (t * x.h.momentum_decay)))


NADAM: Kernel = {
    **{name: line for name, line in ADAM.items() if name not in ("c1", "m_hat", "update", "new_p")},
    "mu": lambda x: nadam_momentum(x, x.t),
    "mu_next": lambda x: nadam_momentum(x, x.t + 1),
    "mu_product": lambda x: x.s.mu_product * x.mu,
    "from_average": lambda x: x.mu_next * x.m / (1 - x.mu_product * x.mu_next),
    "from_gradient": lambda x: (1 - x.mu) * x.g / (1 - x.mu_product),
    "m_hat": lambda x: x.from_average + x.from_gradient,
    "update": lambda x: x.m_hat / x.denominator,
    "new_p": lambda x: x.p - x.h.lr * x.update,
    "new_mu_product": lambda x: x.mu_product,
}


def rectification(x: Any) -> float:
    """RAdam's r_t, 0 where it does not rectify."""
    rho, most = x.rho, x.rho_inf
    if rho <= 4:
        return 0.0
    return math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))


RADAM: Kernel = {
    **{name: line for name, line in ADAM.items() if name != "new_p"},
    "rho_inf": lambda x: 2 / (1 - x.h.beta2) - 1,
    "rho": lambda x: x.rho_inf - 2 * x.t * x.h.beta2**x.t / (1 - x.h.beta2**x.t),
    "r": rectification,
    "moved": lambda x: x.r * x.update if x.r else x.m_hat,
    "new_p": lambda x: x.p - x.h.lr * x.moved,
}

ADEMAMIX: Kernel = {
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "t": lambda x: x.s.t + 1,
    "alpha": lambda x: (
        min(x.t / x.h.alpha_warmup, 1.0) * x.h.alpha if x.h.alpha_warmup else x.h.alpha
    ),
    "m1": lambda x: x.h.beta1 * x.s.m1 + (1 - x.h.beta1) * x.g,
    "m2": lambda x: x.h.beta3 * x.s.m2 + (1 - x.h.beta3) * x.g,
    "v": lambda x: x.h.beta2 * x.s.v + (1 - x.h.beta2) * (x.g * x.g),
    "m1_hat": lambda x: x.m1 / (1 - x.h.beta1**x.t),
    "root": lambda x: np.sqrt(x.v / (1 - x.h.beta2**x.t)) + x.h.eps,
    "update": lambda x: (x.m1_hat + x.alpha * x.m2) / x.root,
    "new_p": lambda x: x.p - x.h.lr * (x.update + x.h.weight_decay * x.p),
    "new_t": lambda x: x.t,
    "new_m1": lambda x: x.m1,
    "new_m2": lambda x: x.m2,
    "new_v": lambda x: x.v,
}

POLYAK_RUPPERT: Kernel = {
    **_COUPLED,
    "t": lambda x: x.s.t + 1,
    "moved": lambda x: x.p - x.h.lr / x.t**x.h.power * x.g,
    "copies": lambda x: x.t <= x.h.start + 1,
    "count": lambda x: x.t - x.h.start,
    "average": lambda x: x.moved if x.copies else x.s.average + (x.moved - x.s.average) / x.count,
    "new_p": lambda x: x.moved,
    "new_t": lambda x: x.t,
    "new_average": lambda x: x.average,
}

# By reference rule; the oldest ones in PyTorch's forms.
KERNELS = {
    "adam": Home(ADAM),
    "adamw": Home(ADAMW, {"decay": "before"}),
    "ademamix": Home(ADEMAMIX, fixed={"beta3_warmup": 0}),
    "amsgrad": Home(AMSGRAD, {"bias_correction": "both"}),
    "lamb": Home(LAMB),
    "lars": Home(LARS),
    "lion": Home(LION, {"decay": "in_step"}),
    "nadam": Home(NADAM),
    "nesterov": Home(NESTEROV, {"form": "torch"}),
    "polyak_ruppert": Home(POLYAK_RUPPERT),
    "radam": Home(RADAM),
    "sgd": Home(SGD),
    "sophia": Home(SOPHIA),
    **EXAMPLE_KERNELS,
    **LAYER_KERNELS,
    **MATRIX_KERNELS,
    **MEMORY_KERNELS,
}
