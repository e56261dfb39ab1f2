"""Correct float32 kernels in NumPy, line by line: what the faults are planted in.

A kernel is a table of lines, run in order; each line computes the name it stands under from what
the lines before computed. x.h: hyperparameters; x.s: state before the step; x.p and x.g: parameter
and gradient, until a line replaces them. The new_ names are the result. One rounding per operation;
constants and functions of the counter are computed by the host in double, as the profile
ieee_float32 declares. (A Python float that meets a float32 array is rounded to float32.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from truestep.fast.protocol import Slot, Stepped

Line = Callable[[Any], Any]
Kernel = Mapping[str, Line]


def norm(x: Any) -> Any:
    """The Euclidean norm of all elements."""
    return np.sqrt(np.sum(x * x))


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
    "ratio": lambda x: x.p_norm / (x.update_norm if x.update_norm > 0 else 1),
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


@dataclass(frozen=True, slots=True)
class Home:
    """A correct kernel, and the dialect it declares."""

    kernel: Kernel
    dialect: Mapping[str, str]


# By reference rule, in PyTorch's forms.
KERNELS = {
    "adam": Home(ADAM, {}),
    "adamw": Home(ADAMW, {"decay": "before"}),
    "amsgrad": Home(AMSGRAD, {"bias_correction": "both"}),
    "lamb": Home(LAMB, {}),
    "lion": Home(LION, {}),
    "nesterov": Home(NESTEROV, {"form": "torch"}),
    "sgd": Home(SGD, {}),
}


def run(kernel: Kernel, h: Any, slot: Slot, memory: dict[str, Any]) -> Stepped:
    """One step of one tensor, its results in the shapes and formats that came in.

    memory: what a fault keeps between calls; a correct kernel keeps nothing.
    """
    s = SimpleNamespace(**slot.state)
    x = SimpleNamespace(h=h, s=s, p=slot.param, g=slot.grad, memory=memory)
    for name, line in kernel.items():
        setattr(x, name, line(x))
    state = {
        name: int(getattr(x, f"new_{name}"))
        if isinstance(old, int)
        else np.array(getattr(x, f"new_{name}"), dtype=old.dtype).reshape(old.shape)
        for name, old in slot.state.items()
    }
    return Stepped(np.array(x.new_p, dtype=slot.param.dtype).reshape(slot.param.shape), state)
