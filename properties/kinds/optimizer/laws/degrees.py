"""How every state tensor answers to the gradient's scale, to its sign, and to the parameter.

degree: the power of the gradient's scale in which a tensor grows. odd: it changes sign with the
parameter and the gradient. moves: it is a point like the parameter and is shifted with it.
nonnegative: no element of it is ever below zero.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The degree of a tensor, its parity, whether it moves with the parameter, and its sign."""

    degree: float
    odd: bool = False
    moves: bool = False
    nonnegative: bool = False


CURVATURE = Behaviour(1)  # a second derivative, or a gradient times a way
FIRST = Behaviour(1, odd=True)  # an average or sum of gradients
INVERSE = Behaviour(-1)  # a rate: a length over a gradient
NUMBER = Behaviour(0)  # a weight, a projector, a code
POINT = Behaviour(0, odd=True, moves=True)  # an iterate or an average of iterates
ROOT = Behaviour(-0.5)  # of a matrix, the fourth root of an inverse sum of squares
SECOND = Behaviour(2, nonnegative=True)  # squares of gradients
SIZE = Behaviour(1, nonnegative=True)  # a magnitude of gradients
SQUARES = Behaviour(2)  # products of gradients with each other
STEP = Behaviour(0, odd=True)  # a way, or an average or sum of normalized steps

DEGREES: dict[str, dict[str, Behaviour]] = {
    "adadelta": {"v": SECOND, "u": NUMBER},
    "adafactor": {"r": SECOND, "c": SECOND, "v": SECOND, "m": STEP},
    "adagrad": {"total": SECOND},
    "adalomo": {"r": SECOND, "c": SECOND, "v": SECOND},
    "adam": {"m": FIRST, "v": SECOND},
    "adam_16bit": {"m": FIRST, "v": SECOND},
    "adam_mini": {"m": FIRST, "v": SECOND},
    "adamax": {"m": FIRST, "u": SIZE},
    "adamw": {"m": FIRST, "v": SECOND},
    "adamw_8bit": {
        "m_code": NUMBER,
        "m_absmax": SIZE,
        "v_code": NUMBER,
        "v_absmax": SECOND,
    },
    "adan": {"m": FIRST, "v": FIRST, "n": SECOND, "previous": FIRST},
    "ademamix": {"m1": FIRST, "m2": FIRST, "v": SECOND},
    "amsgrad": {"m": FIRST, "v": SECOND, "v_max": SECOND},
    "apollo": {"projection": NUMBER, "m": FIRST, "v": SECOND, "norm": NUMBER},
    "apollo_mini": {"projection": NUMBER, "m": FIRST, "v": SECOND, "norm": NUMBER},
    "asgd": {"average": POINT},
    "came": {
        "m": STEP,
        "r": SECOND,
        "c": SECOND,
        "v": SECOND,
        "instability_r": NUMBER,
        "instability_c": NUMBER,
    },
    "distributed_shampoo": {
        "m": FIRST,
        "v": SECOND,
        "b": STEP,
        "c": STEP,
        "factors": SQUARES,
        "roots": ROOT,
    },
    "galore": {"left": NUMBER, "right": NUMBER, "m": FIRST, "v": SECOND},
    "heavy_ball": {"p_previous": POINT},
    "kbfgs": {
        "m": FIRST,
        "factor_a": NUMBER,
        "inverse_a": NUMBER,
        "inverse_g": INVERSE,
        "s_g": STEP,
        "y_g": FIRST,
    },
    "kfac": {"factor_a": NUMBER, "factor_s": SQUARES},
    "kiefer_wolfowitz": {},
    "lamb": {"m": FIRST, "v": SECOND},
    "lars": {"b": STEP},
    "lbfgs": {
        "steps": STEP,
        "changes": FIRST,
        "rho": INVERSE,
        "gamma": INVERSE,
        "step": STEP,
        "g": FIRST,
    },
    "lion": {"m": FIRST},
    "lms": {},
    "lomo": {},
    "ml_lbfgs": {
        "mean_p": POINT,
        "mean_g": FIRST,
        "last_p": POINT,
        "last_g": FIRST,
        "steps": STEP,
        "changes": FIRST,
        "rho": INVERSE,
    },
    "muon": {"b": FIRST},
    "nadam": {"m": FIRST, "v": SECOND, "mu_product": NUMBER},
    "nesterov": {"u": FIRST},
    "online_lbfgs": {
        "steps": STEP,
        "changes": FIRST,
        "rho": INVERSE,
        "step": STEP,
        "g": FIRST,
    },
    "perceptron": {},
    "polyak_ruppert": {"average": POINT},
    "prodigy": {
        "m": FIRST,
        "v": SECOND,
        "s": FIRST,
        "p0": POINT,
        "r": CURVATURE,
        "d": NUMBER,
        "d_max": NUMBER,
    },
    "radam": {"m": FIRST, "v": SECOND},
    "rmsprop": {"v": SECOND, "mean": FIRST, "b": STEP},
    "robbins_monro": {},
    "schedule_free_adamw": {"z": POINT, "v": SECOND, "weight_sum": NUMBER, "lr_max": NUMBER},
    "schedule_free_sgd": {"z": POINT, "weight_sum": NUMBER, "lr_max": NUMBER},
    "sgd": {"b": FIRST},
    "shampoo": {"m": FIRST, "factors": SQUARES, "roots": ROOT},
    "signsgd": {},
    "signum": {"m": FIRST},
    "sm3": {"m": STEP, "mu": SECOND},
    "soap": {"m": FIRST, "v": SECOND, "factors": SQUARES, "bases": NUMBER},
    "sophia": {"m": FIRST, "h": CURVATURE},
    "sr1_cubic": {"steps": STEP, "changes": FIRST, "kept": NUMBER, "mu": CURVATURE},
    "stable_adamw": {"m": FIRST, "v": SECOND},
    "swats": {
        "m": FIRST,
        "v": SECOND,
        "b": FIRST,
        "average": INVERSE,
        "sgd_lr": INVERSE,
        "switched": NUMBER,
    },
}
