"""Faults in rules that remember pairs: their order, their scale, their damping and the search."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.memory_kernels import (
    applied,
    cubic_root,
    curvature_bounds,
    is_safe,
    pushed,
    two_loop,
)


def _with(x: Any, **changed: Any) -> Any:
    """What the lines before computed, with some of it changed."""
    return SimpleNamespace(**{**vars(x), **changed})


def _reversed(x: Any) -> Any:
    return two_loop(_with(x, steps=x.steps[::-1], changes=x.changes[::-1], rho=x.rho[::-1]))


def _one_rho(x: Any) -> Any:
    """Every pair meets the newest pair's rho."""
    return two_loop(_with(x, rho=np.where(x.rho != 0, x.rho[-1], x.rho)))


def _oldest_gamma(x: Any) -> Any:
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
        lines={"gamma": _oldest_gamma},
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
        lines={"r": _one_rho},
    ),
    "online_lbfgs_pairs_in_reverse": Fault(
        "online_lbfgs",
        "memory",
        "the oldest pair first, where the newest is due",
        "loops in another order",
        lines={"r": _reversed},
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


def _inverse(x: Any) -> Any:
    """1 / x, where zero has none: 0."""
    return 1 / x if x != 0 else 0 * x


def _backtracked(x: Any, decrease: Any, first: float = 1.0) -> Any:
    a = first * x.h.lr
    for _ in range(x.h.max_evaluations - 1):
        if x.f(x.p + (a * x.d).reshape(x.p.shape))[0] <= x.value + decrease(a):
            break
        a = x.h.shrink * a
    return 0.0 if x.stalled else a


LBFGS = {
    "lbfgs_every_pair_kept": Fault(
        "lbfgs",
        "memory",
        "pairs of negative curvature are kept",
        "a condition forgotten",
        check="curvature_skip",
        lines={
            "keep": lambda x: x.s.t > 0,
            "rho": lambda x: pushed(x.s.rho, _inverse(x.curvature)) if x.keep else x.s.rho,
            "gamma": lambda x: x.curvature * _inverse(x.y @ x.y) if x.keep else x.s.gamma,
        },
        computes="lbfgs with every pair kept",
    ),
    "lbfgs_gamma_inverted": Fault(
        "lbfgs",
        "memory",
        "y'y / s'y scales the initial matrix",
        "a quotient turned over",
        check="filled_memory",
        lines={"gamma": lambda x: (x.y @ x.y) / x.curvature if x.keep else x.s.gamma},
    ),
    "lbfgs_gamma_of_the_oldest": Fault(
        "lbfgs",
        "memory",
        "the oldest pair scales the initial matrix",
        "an index from the wrong end",
        check="filled_memory",
        lines={"gamma": _oldest_gamma},
    ),
    "lbfgs_one_rho_for_all": Fault(
        "lbfgs",
        "memory",
        "every pair meets the newest pair's rho",
        "an index outside of its loop",
        check="filled_memory",
        lines={"d": lambda x: -_one_rho(x)},
    ),
    "lbfgs_pairs_in_reverse": Fault(
        "lbfgs",
        "memory",
        "the oldest pair first, where the newest is due",
        "loops in another order",
        check="filled_memory",
        lines={"d": lambda x: -_reversed(x)},
    ),
    "lbfgs_search_begins_shrunk": Fault(
        "lbfgs",
        "memory",
        "the search shrinks the step before it tries it",
        "lines in another order",
        check="early_steps",
        lines={"a": lambda x: _backtracked(x, lambda a: x.h.c1 * a * x.slope, x.h.shrink)},
    ),
    "lbfgs_search_without_slope": Fault(
        "lbfgs",
        "memory",
        "any decrease by a multiple of the step's length is taken for sufficient",
        "a factor forgotten",
        check="early_steps",
        lines={"a": lambda x: _backtracked(x, lambda a: -x.h.c1 * a)},
    ),
    "lbfgs_steps_one_behind": Fault(
        "lbfgs",
        "memory",
        "a change is paired with the step before its own",
        "history shifted by one",
        check="filled_memory",
        lines={"steps": lambda x: pushed(x.s.steps, x.s.steps[-1]) if x.keep else x.s.steps},
    ),
    "lbfgs_whole_direction_remembered": Fault(
        "lbfgs",
        "memory",
        "the step that is remembered is d, not a d",
        "a factor forgotten",
        check="early_steps",
        lines={"new_step": lambda x: x.d},
    ),
}


def _mu_never_falls(x: Any) -> Any:
    if x.ratio >= x.h.eta1:
        return x.s.mu
    return x.s.mu * (x.h.gamma1 + x.h.gamma2) / 2


SR1_CUBIC = {
    "sr1_cubic_model_without_its_half": Fault(
        "sr1_cubic",
        "memory",
        "the quadratic term of the promised decrease is not halved",
        "a factor forgotten",
        check="early_steps",
        lines={
            "model": lambda x: (
                x.g @ x.moved
                + x.moved @ applied(x, x.terms, x.moved)
                + x.s.mu / 3 * (np.sum(np.abs(x.s_u) ** 3) + np.abs(x.s_0) ** 3)
            )
        },
    ),
    "sr1_cubic_mu_never_falls": Fault(
        "sr1_cubic",
        "memory",
        "very good steps leave the weight of the cubic term as it is",
        "a branch forgotten",
        check="early_steps",
        lines={"new_mu": _mu_never_falls},
    ),
    "sr1_cubic_mu_quartered": Fault(
        "sr1_cubic",
        "memory",
        "the root has mu where 4 mu is due",
        "a factor forgotten",
        check="early_steps",
        lines={
            "s_0": lambda x: (
                -2 * x.size / (x.h.curvature + np.sqrt(x.h.curvature**2 + x.s.mu * x.size))
            )
        },
    ),
    "sr1_cubic_rejected_steps_made": Fault(
        "sr1_cubic",
        "memory",
        "p moves by steps that are rejected",
        "a flag that nobody reads",
        check="curvature_skip",
        lines={"new_p": lambda x: x.there},
    ),
    "sr1_cubic_rejected_steps_remembered": Fault(
        "sr1_cubic",
        "memory",
        "pairs of rejected steps are kept, declared as left out",
        "Nocedal & Wright, against the paper",
        check="curvature_skip",
        lines={"keep": lambda x: is_safe(x, x.moved, x.y - applied(x, x.terms, x.moved))},
        computes="sr1_cubic with pairs of rejected steps too",
    ),
    "sr1_cubic_wrong_root": Fault(
        "sr1_cubic",
        "memory",
        "falling directions are treated as rising ones",
        "a size taken of an eigenvalue",
        check="filled_memory",
        lines={"s_u": lambda x: cubic_root(np.abs(x.eigenvalues), x.s.mu, x.g_u)},
    ),
}

PAIRS = {**LBFGS, **ML_LBFGS, **ONLINE_LBFGS, **SR1_CUBIC}
