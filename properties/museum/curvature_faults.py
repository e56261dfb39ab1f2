"""Faults in GaLore, K-FAC, K-BFGS and Sophia: projectors, factors, damping and clipping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.layer_kernels import balance
from truestep.properties.museum.matrix_kernels import power

GALORE = {
    "galore_bias_correction_twice": Fault(
        "galore",
        "projection",
        "the counter of the corrections advances in the wrapper and in Adam: 1, 3, 5, ...",
        "unslothai/unsloth#10842",
        lines={
            "m_hat": lambda x: x.m / (1 - x.h.beta1 ** (2 * x.t - 1)),
            "v_hat": lambda x: x.v / (1 - x.h.beta2 ** (2 * x.t - 1)),
        },
    ),
    "galore_decay_before_step": Fault(
        "galore",
        "projection",
        "decay applied before the projected step, where it is declared after it",
        "unslothai/unsloth#10931, with the order exchanged",
        lines={
            "moved": lambda x: x.p * (1 - x.h.lr * x.h.weight_decay) - x.h.lr * x.d,
            "new_p": lambda x: x.moved,
        },
        computes="galore with weight decay, multiplied by lr, before the step",
    ),
    "galore_projected_by_the_old_basis": Fault(
        "galore",
        "projection",
        "at a refresh the gradient still meets the projector before it",
        "state read before it was written",
        lines={"r": lambda x: x.s.left.T @ x.g if x.left.size else x.g @ x.s.right.T},
    ),
    "galore_refresh_one_step_early": Fault(
        "galore",
        "projection",
        "the projector is refreshed one step early",
        "counters from 0 and from 1",
        lines={"due": lambda x: x.s.t == 0 or x.t % x.h.update_gap == 0},
    ),
    "galore_scale_missing": Fault(
        "galore",
        "projection",
        "the projected step is not scaled",
        "an argument without effect",
        lines={"d": lambda x: x.back},
    ),
    "galore_second_moment_emptied": Fault(
        "galore",
        "projection",
        "the second moment starts anew when the projector changes",
        "state made again for another shape",
        check="combinations",
        lines={
            "v": lambda x: x.h.beta2 * (0 if x.due else 1) * x.s.v + (1 - x.h.beta2) * (x.r * x.r)
        },
    ),
    "galore_side_of_squares": Fault(
        "galore",
        "projection",
        "a square projector is not transposed on the way back",
        "modelscope/ms-swift#10146",
        lines={
            "back": lambda x: (
                (x.left.T if x.left.shape[0] == x.left.shape[1] else x.left) @ x.inner
                if x.left.size
                else x.inner @ x.right
            )
        },
    ),
}

KFAC = {
    "kfac_average_without_warm_up": Fault(
        "kfac",
        "curvature",
        "the average weighs the first batch as any other",
        "a minimum forgotten",
        lines={"c": lambda x: x.h.ema},
    ),
    "kfac_damping_on_one_side": Fault(
        "kfac",
        "curvature",
        "the inputs' factor is not damped",
        "a line copied without its guard",
        lines={"input_shift": lambda x: np.float32(1e-12)},
    ),
    "kfac_damping_without_root": Fault(
        "kfac",
        "curvature",
        "each factor is damped by the whole damping, not by its root",
        "a root forgotten",
        lines={"damping": lambda x: x.h.damping + x.h.weight_decay},
    ),
    "kfac_decay_not_in_the_damping": Fault(
        "kfac",
        "curvature",
        "weight decay is in the gradient, but not in the curvature",
        "libraries that add the decay outside of the rule",
        lines={"damping": lambda x: math.sqrt(x.h.damping)},
        computes="kfac with weight decay added to the gradient",
    ),
    "kfac_factors_of_squares_exchanged": Fault(
        "kfac",
        "curvature",
        "the factors change sides, which only squares allow",
        "weights of (in, out) and (out, in)",
        lines={
            "direction": lambda x: (
                x.inputs_inverse @ x.g @ x.outputs_inverse
                if x.g.shape[0] == x.g.shape[1]
                else x.outputs_inverse @ x.g @ x.inputs_inverse
            )
        },
    ),
    "kfac_inverse_of_the_factor_before": Fault(
        "kfac",
        "curvature",
        "the inverse is that of the factor before this batch",
        "state read before it was written",
        lines={"outputs_inverse": lambda x: power(x.s.factor_s, -1.0, shift=x.output_shift)},
    ),
    "kfac_pi_inverted": Fault(
        "kfac",
        "curvature",
        "the damping is shared the other way round",
        "a quotient turned over",
        lines={"pi": lambda x: 1 / balance(x)},
    ),
    "kfac_sum_over_the_batch": Fault(
        "kfac",
        "curvature",
        "the factor is a sum over the batch, not a mean",
        "a division forgotten",
        lines={"a": lambda x: x.c * x.s.factor_a + (1 - x.c) * (x.activations.T @ x.activations)},
    ),
}


def _without_rank_one(x: Any) -> Any:
    s, y = x.pair
    if s @ y <= 0:
        return x.s.inverse_g
    rho, hy = 1 / (s @ y), x.s.inverse_g @ y
    cross = np.outer(rho * s, hy)
    return x.s.inverse_g + rho * (y @ hy) * np.outer(rho * s, s) - (cross + cross.T)


KBFGS = {
    "kbfgs_curvature_without_damping": Fault(
        "kbfgs",
        "curvature",
        "the inputs' pair leaves out the damping",
        "a term forgotten",
        lines={"y_a": lambda x: x.factor_a @ x.s_a},
    ),
    "kbfgs_pair_not_damped": Fault(
        "kbfgs",
        "curvature",
        "the outputs' pair is taken as it is",
        "a function not called",
        lines={"pair": lambda x: (x.s_g, x.y_g)},
    ),
    "kbfgs_rank_one_term_missing": Fault(
        "kbfgs",
        "curvature",
        "the update leaves out rho s s'",
        "1 + x written as x",
        lines={"inverse_g": _without_rank_one},
    ),
    "kbfgs_step_by_the_new_matrices": Fault(
        "kbfgs",
        "curvature",
        "p moves by the matrices with which the step ends",
        "lines in another order",
        lines={"new_p": lambda x: x.p - x.h.lr * (x.inverse_g @ x.m @ x.inverse_a)},
    ),
    "kbfgs_sums_over_the_batch": Fault(
        "kbfgs",
        "curvature",
        "changes are added over the batch, not averaged",
        "a division forgotten",
        lines={
            "s_g": lambda x: (
                x.h.ema * x.s.s_g + (1 - x.h.ema) * np.sum(x.outputs_after - x.outputs, axis=0)
            )
        },
    ),
}


def _clipped_after(x: Any) -> Any:
    return x.p - np.clip(x.h.lr * (x.m / x.denominator), -x.h.limit, x.h.limit)


SOPHIA = {
    "sophia_clip_forgotten": Fault(
        "sophia",
        "curvature",
        "the step is not clipped",
        "a function not called",
        lines={"u": lambda x: x.m / x.denominator},
    ),
    "sophia_clipped_after_lr": Fault(
        "sophia",
        "curvature",
        "the step is clipped after lr multiplied it",
        "lines in another order",
        lines={"new_p": _clipped_after},
    ),
    "sophia_eps_added": Fault(
        "sophia",
        "curvature",
        "eps is added to the Hessian, where it is declared as a floor",
        "the authors' code, against the paper",
        check="combinations",
        lines={"denominator": lambda x: x.h.gamma * np.maximum(x.hessian, 0) + np.float32(x.h.eps)},
        computes="sophia with eps added to gamma times the Hessian where it is positive",
    ),
    "sophia_gamma_of_the_floor": Fault(
        "sophia",
        "curvature",
        "gamma multiplies eps as well",
        "brackets in another place",
        check="combinations",
        lines={"denominator": lambda x: x.h.gamma * np.maximum(x.hessian, np.float32(x.h.eps))},
    ),
    "sophia_hessian_in_every_step": Fault(
        "sophia",
        "curvature",
        "the Hessian is averaged in every step, not every so many",
        "an argument dropped on the way",
        lines={"due": lambda x: True},
    ),
    "sophia_refresh_one_step_late": Fault(
        "sophia",
        "curvature",
        "the Hessian is refreshed when t + 1 is a multiple of the period",
        "counters from 0 and from 1",
        lines={"due": lambda x: (x.s.t + 1) % x.h.period == 0},
    ),
    "sophia_size_of_the_hessian": Fault(
        "sophia",
        "curvature",
        "|h| divides, so that falling directions are taken for steep ones",
        "a maximum taken for a size",
        lines={
            "denominator": lambda x: np.maximum(x.h.gamma * np.abs(x.hessian), np.float32(x.h.eps))
        },
    ),
}

CURVATURE = {**GALORE, **KBFGS, **KFAC, **SOPHIA}
