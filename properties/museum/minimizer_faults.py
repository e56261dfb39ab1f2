"""Faults in L-BFGS and SR1: which pairs are kept, how far a step goes, and whether it is made."""

from __future__ import annotations

from typing import Any

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.memory_faults import in_reverse, oldest_gamma, one_rho
from truestep.properties.museum.memory_kernels import applied, cubic_root, is_safe, pushed


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
        lines={"gamma": oldest_gamma},
    ),
    "lbfgs_one_rho_for_all": Fault(
        "lbfgs",
        "memory",
        "every pair meets the newest pair's rho",
        "an index outside of its loop",
        check="filled_memory",
        lines={"d": lambda x: -one_rho(x)},
    ),
    "lbfgs_pairs_in_reverse": Fault(
        "lbfgs",
        "memory",
        "the oldest pair first, where the newest is due",
        "loops in another order",
        check="filled_memory",
        lines={"d": lambda x: -in_reverse(x)},
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

MINIMIZER = {**LBFGS, **SR1_CUBIC}
