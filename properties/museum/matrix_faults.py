"""Faults in Muon, Shampoo and its distributed form: roots, lengths and scales."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.kernels import norm
from truestep.properties.museum.matrix_kernels import (
    left,
    power,
    right,
)


def _tall_scale(x: Any) -> float:
    return math.sqrt(max(1, x.m.shape[0] / x.m.shape[1]))


MUON = {
    "muon_coefficient_of_another_digit": Fault(
        "muon",
        "matrix",
        "3.4455 where 3.4445 is meant",
        "digits copied by hand",
        lines={"coefficients": lambda x: (x.h.ns_a + 0.001, x.h.ns_b, x.h.ns_c)},
    ),
    "muon_decay_scaled": Fault(
        "muon",
        "matrix",
        "the decay is scaled for the shape as the step is",
        "decay multiplied by the adjusted lr",
        lines={"p": lambda x: x.p * (1 - x.h.lr * _shape_scale(x.p) * x.h.weight_decay)},
    ),
    "muon_iterates_in_float16": Fault(
        "muon",
        "matrix",
        "the iteration is given a float16 matrix, declared as float32",
        "half precision in Newton-Schulz",
        lines={
            "start": lambda x: (
                (x.wide / (norm(x.wide) + x.h.eps)).astype(np.float16).astype(np.float32)
            )
        },
    ),
    "muon_looks_ahead_with_old_buffer": Fault(
        "muon",
        "matrix",
        "the look-ahead uses the buffer before this step",
        "state read before it was written",
        lines={"m": lambda x: x.g + x.h.momentum * x.s.b if x.h.nesterov else x.b},
    ),
    "muon_nesterov_ignored": Fault(
        "muon",
        "matrix",
        "plain momentum in the place of Nesterov's",
        "a flag without effect",
        lines={"m": lambda x: x.b},
    ),
    "muon_norm_without_eps": Fault(
        "muon",
        "matrix",
        "the norm divides without eps: a zero gradient gives nan",
        "eps left out of a normalisation",
        check="update_alone",
        lines={"start": lambda x: x.wide / norm(x.wide)},
    ),
    "muon_not_transposed_back": Fault(
        "muon",
        "matrix",
        "a tall matrix comes back in the order of its transpose",
        "a view reshaped in the place of a transposition",
        lines={"direction": lambda x: x.orthogonal.reshape(x.m.shape)},
    ),
    "muon_one_step_less": Fault(
        "muon",
        "matrix",
        "one Newton-Schulz step too few",
        "loops from 1",
        lines={"iterations": lambda x: x.h.ns_steps - 1},
    ),
    "muon_scale_of_columns": Fault(
        "muon",
        "matrix",
        "sqrt(cols / rows) in the place of sqrt(rows / cols)",
        "weights of (in, out) and (out, in)",
        lines={"scale": lambda x: math.sqrt(max(1, x.m.shape[1] / x.m.shape[0]))},
        computes="muon with scale sqrt(max(1, cols / rows))",
    ),
    "muon_scaled_twice": Fault(
        "muon",
        "matrix",
        "the scale for the shape is in lr and in the step",
        "NVIDIA/Megatron-LM#3715",
        lines={"scale": lambda x: _tall_scale(x) ** 2},
    ),
}


def _shape_scale(p: Any) -> float:
    return math.sqrt(max(1, p.shape[0] / p.shape[1]))


def _root_of_identity(x: Any) -> Any:
    """A^(-1/2) with a factor that makes it A^(-1/4) where A is a multiple of I."""
    if not x.due:
        return left(x.s.roots, x.g)
    scale = np.trace(x.left) / len(x.left)
    return power(x.left, -1 / 2, x.h.eps) * scale ** np.float32(0.25)


SHAMPOO = {
    "shampoo_eps_in_every_element": Fault(
        "shampoo",
        "matrix",
        "eps is added to every element of a factor, not to its diagonal",
        "a scalar added to a matrix",
        lines={
            "left_root": lambda x: (
                power(x.left + np.float32(x.h.eps), -1 / 4, x.h.eps)
                if x.due
                else left(x.s.roots, x.g)
            )
        },
    ),
    "shampoo_exponent_of_one_half": Fault(
        "shampoo",
        "matrix",
        "A^(-1/2) in the place of A^(-1/4)",
        "HomericIntelligence/Odyssey#5497",
        lines={
            "left_root": lambda x: (
                power(x.left, -1 / 2, x.h.eps) if x.due else left(x.s.roots, x.g)
            ),
            "right_root": lambda x: (
                power(x.right, -1 / 2, x.h.eps) if x.due else right(x.s.roots, x.g)
            ),
        },
        computes="shampoo with factors to the power -1 / k for k axes",
    ),
    "shampoo_root_of_multiples_of_the_identity": Fault(
        "shampoo",
        "matrix",
        "A^(-1/2), rescaled so that it is A^(-1/4) where A is a multiple of I",
        "HomericIntelligence/Odyssey#5497",
        lines={"left_root": _root_of_identity},
    ),
    "shampoo_roots_never_refreshed": Fault(
        "shampoo",
        "matrix",
        "roots are taken at the first step alone",
        "a cache that is never emptied",
        lines={"due": lambda x: x.s.t == 0},
    ),
    "shampoo_roots_of_the_factors_before": Fault(
        "shampoo",
        "matrix",
        "roots are those of the factors before this gradient",
        "state read before it was written",
        lines={
            "left_root": lambda x: (
                power(left(x.s.factors, x.g), -1 / 4, x.h.eps) if x.due else left(x.s.roots, x.g)
            )
        },
    ),
    "shampoo_second_factor_of_preconditioned": Fault(
        "shampoo",
        "matrix",
        "the second factor sees the gradient after the first root",
        "one variable for a gradient and what becomes of it",
        lines={"right": lambda x: _right_of_preconditioned(x)},
    ),
    "shampoo_sides_of_squares_exchanged": Fault(
        "shampoo",
        "matrix",
        "left and right roots exchanged, which only squares allow",
        "axes counted from the other end",
        lines={
            "direction": lambda x: (
                x.right_root @ x.m @ x.left_root.T
                if x.m.shape[0] == x.m.shape[1]
                else x.left_root @ x.m @ x.right_root.T
            )
        },
    ),
}


def _right_of_preconditioned(x: Any) -> Any:
    root = left(x.s.roots, x.g)
    if x.s.t % x.h.precondition_frequency == 0:
        root = power(x.left, -1 / 4, x.h.eps)
    moved = root @ x.g
    return right(x.s.factors, x.g) + moved.T @ moved


DISTRIBUTED_SHAMPOO = {
    "distributed_shampoo_correction_missing": Fault(
        "distributed_shampoo",
        "matrix",
        "factors are not corrected for their zero start",
        "half of a bias correction",
        lines={"c": lambda x: 1.0},
    ),
    "distributed_shampoo_graft_of_momentum": Fault(
        "distributed_shampoo",
        "matrix",
        "the length lent is that of the average, not of Adam's step",
        "the wrong tensor's norm",
        lines={"length": lambda x: norm(x.m_hat) / (norm(x.shape) + np.float32(1e-16))},
    ),
    "distributed_shampoo_graft_without_root": Fault(
        "distributed_shampoo",
        "matrix",
        "the graft divides by the second moment, not by its root",
        "a root forgotten",
        lines={"lender": lambda x: x.m_hat / (x.v_hat + x.h.graft_eps)},
    ),
    "distributed_shampoo_ridge_on_one_side": Fault(
        "distributed_shampoo",
        "matrix",
        "eps is added to the rows' factor alone",
        "a line copied without its guard",
        lines={
            "right_root": lambda x: (
                power(x.right / x.c, -1 / 4, 1e-30) if x.due else right(x.s.roots, x.g)
            )
        },
    ),
}


MATRIX = {**DISTRIBUTED_SHAMPOO, **MUON, **SHAMPOO}
