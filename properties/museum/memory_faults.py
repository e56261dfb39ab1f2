"""Faults in rules that remember pairs of steps and gradients: their order, scale and damping."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.memory_kernels import (
    curvature_bounds,
    pushed,
    two_loop,
)


def _with(x: Any, **changed: Any) -> Any:
    """What the lines before computed, with some of it changed."""
    return SimpleNamespace(**{**vars(x), **changed})


def in_reverse(x: Any) -> Any:
    """The two loops with the oldest pair first."""
    return two_loop(_with(x, steps=x.steps[::-1], changes=x.changes[::-1], rho=x.rho[::-1]))


def one_rho(x: Any) -> Any:
    """Every pair meets the newest pair's rho."""
    return two_loop(_with(x, rho=np.where(x.rho != 0, x.rho[-1], x.rho)))


def oldest_gamma(x: Any) -> Any:
    """s'y / y'y of the oldest pair."""
    kept = [i for i in range(len(x.rho)) if x.rho[i] != 0]
    if not kept:
        return x.s.gamma if hasattr(x.s, "gamma") else np.float32(x.h.eps)
    s, y = x.steps[kept[0]], x.changes[kept[0]]
    return (s @ y) / (y @ y)


ONLINE_LBFGS = {
    "online_lbfgs_decay_of_the_rate_ahead": Fault(
        "online_lbfgs",
        "memory",
        "the rate is that of the next step",
        "counters from 0 and from 1",
        lines={"rate": lambda x: x.h.lr * (x.h.tau / (x.h.tau + x.s.t + 1)) / x.h.c},
    ),
    "online_lbfgs_gamma_of_the_oldest": Fault(
        "online_lbfgs",
        "memory",
        "the oldest pair scales the initial matrix, not the mean over all",
        "an index from the wrong end",
        lines={"gamma": oldest_gamma},
    ),
    "online_lbfgs_gradients_of_two_samples": Fault(
        "online_lbfgs",
        "memory",
        "the change is that between gradients on different samples",
        "an argument without effect",
        lines={"y": lambda x: x.g - x.s.g + x.h.lambd * x.s.step},
    ),
    "online_lbfgs_lambda_ignored": Fault(
        "online_lbfgs",
        "memory",
        "lambd s is not part of the change",
        "a term forgotten",
        lines={"y": lambda x: x.g_previous.reshape(-1) - x.s.g},
    ),
    "online_lbfgs_one_rho_for_all": Fault(
        "online_lbfgs",
        "memory",
        "every pair meets the newest pair's rho",
        "an index outside of its loop",
        lines={"r": one_rho},
    ),
    "online_lbfgs_pairs_in_reverse": Fault(
        "online_lbfgs",
        "memory",
        "the oldest pair first, where the newest is due",
        "loops in another order",
        lines={"r": in_reverse},
    ),
    "online_lbfgs_rank_one_not_scaled": Fault(
        "online_lbfgs",
        "memory",
        "c divides the step, but does not scale the rank-one terms",
        "half of a factor",
        lines={"c": lambda x: 1.0},
        computes="online_lbfgs with rank-one terms as in BFGS",
    ),
    "online_lbfgs_steps_one_behind": Fault(
        "online_lbfgs",
        "memory",
        "a change is paired with the step before its own",
        "history shifted by one",
        lines={"steps": lambda x: pushed(x.s.steps, x.s.steps[-1]) if x.keep else x.s.steps},
    ),
}


def _bounds_exchanged(x: Any) -> Any:
    low, high = x.h.sigma_low, x.h.sigma_high
    return curvature_bounds(_with(x, h=_with(_fields(x.h), sigma_low=high, sigma_high=low)))


def _fields(h: Any) -> Any:
    return SimpleNamespace(**{name: getattr(h, name) for name in h.__dataclass_fields__})


ML_LBFGS = {
    "ml_lbfgs_averages_from_zero": Fault(
        "ml_lbfgs",
        "memory",
        "averages begin at zero, declared as beginning at the first values",
        "buffers of zeros",
        lines={
            "mean_p": lambda x: x.h.momentum * x.s.mean_p + (1 - x.h.momentum) * x.p.reshape(-1),
            "mean_g": lambda x: x.h.momentum * x.s.mean_g + (1 - x.h.momentum) * x.g.reshape(-1),
        },
        computes="ml_lbfgs with averages begin at zero",
    ),
    "ml_lbfgs_bounds_exchanged": Fault(
        "ml_lbfgs",
        "memory",
        "the bounds of the curvature are exchanged",
        "arguments in another order",
        lines={"tau": lambda x: _bounds_exchanged(x) if x.keep else 1.0},
    ),
    "ml_lbfgs_damped_the_other_way": Fault(
        "ml_lbfgs",
        "memory",
        "tau weighs the step and 1 - tau the change",
        "weights exchanged",
        lines={"damped": lambda x: (1 - x.tau) * x.y + x.tau * x.sample},
    ),
    "ml_lbfgs_raw_gradients": Fault(
        "ml_lbfgs",
        "memory",
        "the change is taken of gradients, not of their averages",
        "a variable mixed up",
        lines={"y": lambda x: x.g - x.s.last_g},
    ),
    "ml_lbfgs_rho_of_undamped": Fault(
        "ml_lbfgs",
        "memory",
        "rho is that of the change before damping",
        "a variable mixed up",
        lines={"rho": lambda x: pushed(x.s.rho, 1 / (x.sample @ x.y)) if x.keep else x.s.rho},
    ),
    "ml_lbfgs_since_the_start": Fault(
        "ml_lbfgs",
        "memory",
        "steps are measured from the first averages, not from the last pair's",
        "state not written back",
        lines={"new_last_p": lambda x: x.mean_p if x.s.t == 0 else x.s.last_p},
    ),
}


PAIRS = {**ML_LBFGS, **ONLINE_LBFGS}
