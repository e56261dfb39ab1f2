"""Faults in a line of Adam, AdamW or AMSGrad: eps, decay and moments."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from truestep.properties.museum.fault import Fault


def bfloat16(x: float) -> float:
    """x rounded to bfloat16."""
    return float(ml_dtypes.bfloat16(x))


EPS = {
    "adamw_eps_as_floor": Fault(
        "adamw",
        "eps",
        "the larger of root and eps divides",
        "heavyball",
        check="update_alone",
        lines={"denominator": lambda x: np.maximum(np.sqrt(x.v_hat), np.float32(x.h.eps))},
        computes="adamw with eps as a floor of the root",
    ),
    "adamw_eps_before_correction": Fault(
        "adamw",
        "eps",
        "eps added to the root before bias correction",
        "Kingma & Ba 2015, end of section 2",
        check="update_alone",
        lines={"denominator": lambda x: (np.sqrt(x.v) + x.h.eps) / np.sqrt(x.c2)},
        computes="adamw with eps added to the root before bias correction",
    ),
    "adamw_eps_divided_by_lr": Fault(
        "adamw",
        "eps",
        "lr folded into the denominator: nan where lr is zero",
        "pytorch/pytorch#186444",
        check="combinations",
        lines={
            "denominator": lambda x: (
                np.sqrt(x.v_hat) / np.float32(x.h.lr) + np.float32(x.h.eps) / np.float32(x.h.lr)
            ),
            "new_p": lambda x: x.p - x.update,
        },
    ),
    "adamw_eps_in_float16": Fault(
        "adamw",
        "eps",
        "eps rounded to float16, where 1e-8 is zero",
        "google-deepmind/optax#1754",
        check="update_alone",
        lines={"denominator": lambda x: np.sqrt(x.v_hat) + float(np.float16(x.h.eps))},
    ),
    "adamw_eps_inside_and_outside": Fault(
        "adamw",
        "eps",
        "eps added inside the root and again outside of it",
        "kozistr/pytorch_optimizer#397",
        check="update_alone",
        lines={"denominator": lambda x: np.sqrt(x.v_hat + x.h.eps) + x.h.eps},
    ),
    "adamw_eps_inside_root": Fault(
        "adamw",
        "eps",
        "eps added inside the root",
        "kozistr/pytorch_optimizer#397",
        check="update_alone",
        lines={"denominator": lambda x: np.sqrt(x.v_hat + x.h.eps)},
        computes="adamw with eps added inside the root",
    ),
    "adamw_eps_missing": Fault(
        "adamw",
        "eps",
        "no eps at all",
        "kozistr/pytorch_optimizer#397",
        check="update_alone",
        lines={"denominator": lambda x: np.sqrt(x.v_hat)},
    ),
    "adamw_eps_squared_inside_root": Fault(
        "adamw",
        "eps",
        "eps squared added inside the root",
        "kozistr/pytorch_optimizer#397",
        check="update_alone",
        lines={"denominator": lambda x: np.sqrt(x.v_hat + x.h.eps**2)},
    ),
}

DECAY = {
    "adam_decay_negated_by_maximize": Fault(
        "adam",
        "decay",
        "maximize negates the gradient after the decay was added to it",
        "kozistr/pytorch_optimizer#528",
        lines={"g": lambda x: (-1 if x.h.maximize else 1) * (x.g + x.h.weight_decay * x.p)},
    ),
    "adamw_decay_after_step": Fault(
        "adamw",
        "decay",
        "decay applied to the moved parameter",
        "bitsandbytes-foundation/bitsandbytes#2010",
        lines={
            "p": lambda x: x.p,
            "new_p": lambda x: (x.p - x.h.lr * x.update) * (1 - x.h.lr * x.h.weight_decay),
        },
        computes="adamw with weight decay, multiplied by lr, after the step",
    ),
    "adamw_decay_by_lr_twice": Fault(
        "adamw",
        "decay",
        "decay multiplied by lr twice",
        "kozistr/pytorch_optimizer#170",
        lines={"p": lambda x: x.p * (1 - x.h.lr * x.h.lr * x.h.weight_decay)},
    ),
    "adamw_decay_flipped_by_maximize": Fault(
        "adamw",
        "decay",
        "maximize turns the decay into growth",
        "kozistr/pytorch_optimizer#528",
        lines={"p": lambda x: x.p * (1 - (-1 if x.h.maximize else 1) * x.h.lr * x.h.weight_decay)},
    ),
    "adamw_decay_ignored": Fault(
        "adamw",
        "decay",
        "weight decay never reaches the kernel",
        "bitsandbytes: adamw_bnb_8bit dispatched to Adam8bit",
        lines={"p": lambda x: x.p},
    ),
    "adamw_decay_in_bfloat16": Fault(
        "adamw",
        "decay",
        "the factor 1 - lr weight_decay rounded to bfloat16, often to 1",
        "Nerogar/OneTrainer#996",
        lines={"p": lambda x: x.p * bfloat16(1 - x.h.lr * x.h.weight_decay)},
    ),
    "adamw_decay_in_gradient": Fault(
        "adamw",
        "decay",
        "decay added to the gradient, as in Adam",
        "Loshchilov & Hutter 2019 on the libraries of their time",
        lines={
            "g": lambda x: (-x.g if x.h.maximize else x.g) + x.h.weight_decay * x.p,
            "p": lambda x: x.p,
        },
        computes="adam with both moments corrected for their zero start; "
        "weight decay added to the gradient; "
        "eps added to the root of the corrected second moment",
    ),
    "adamw_decay_negated": Fault(
        "adamw",
        "decay",
        "weights grow instead of shrinking",
        "chainer/chainer#261",
        lines={"p": lambda x: x.p * (1 + x.h.lr * x.h.weight_decay)},
    ),
    "adamw_decay_of_shrunk": Fault(
        "adamw",
        "decay",
        "p - p (1 - lr weight_decay) in the place of p (1 - lr weight_decay)",
        "variable.assign_sub(variable * (1 - lr * wd)) in a Keras AdamW",
        lines={"p": lambda x: x.p - x.p * (1 - x.h.lr * x.h.weight_decay)},
    ),
    "adamw_decay_skipped_at_zero_gradient": Fault(
        "adamw",
        "decay",
        "elements without a gradient are not decayed",
        "lazy updates of sparse gradients",
        check="all_zero",
        lines={"p": lambda x: np.where(x.g == 0, x.p, x.p * (1 - x.h.lr * x.h.weight_decay))},
    ),
    "adamw_decay_without_lr": Fault(
        "adamw",
        "decay",
        "decay not multiplied by lr",
        "libraries that follow the paper's Algorithm 2",
        lines={
            "p": lambda x: x.p,
            "new_p": lambda x: x.p - (x.h.lr * x.update + x.h.weight_decay * x.p),
        },
        computes="adamw with weight decay not multiplied by lr",
    ),
}

MOMENTS = {
    "adamw_first_moment_holds_lr": Fault(
        "adamw",
        "moment",
        "lr multiplies the gradient before it is averaged",
        "Adafactor with beta1 > 0: lr inside the momentum",
        lines={
            "m": lambda x: x.h.beta1 * x.s.m + (1 - x.h.beta1) * (x.h.lr * x.g),
            "new_p": lambda x: x.p - x.update,
        },
    ),
    "adamw_first_moment_without_complement": Fault(
        "adamw",
        "moment",
        "m adds the whole gradient, as a momentum buffer does",
        "exponential average taken for a sum",
        lines={"m": lambda x: x.h.beta1 * x.s.m + x.g},
    ),
    "adamw_maximize_ignored": Fault(
        "adamw",
        "moment",
        "maximize is ignored: negated twice",
        "kozistr/pytorch_optimizer#528",
        lines={"g": lambda x: x.g},
    ),
    "adamw_second_moment_of_first": Fault(
        "adamw",
        "moment",
        "v averages the squares of m",
        "a variable mixed up",
        lines={"v": lambda x: x.h.beta2 * x.s.v + (1 - x.h.beta2) * (x.m * x.m)},
    ),
    "adamw_second_moment_of_parameter": Fault(
        "adamw",
        "moment",
        "v averages the squares of p",
        "ADOPT: exp_avg_sq set from the parameter",
        lines={"v": lambda x: x.h.beta2 * x.s.v + (1 - x.h.beta2) * (x.p * x.p)},
    ),
    "adamw_second_moment_of_roots": Fault(
        "adamw",
        "moment",
        "roots are averaged and the average is squared",
        "root taken before averaging",
        lines={"v": lambda x: (x.h.beta2 * np.sqrt(x.s.v) + (1 - x.h.beta2) * np.abs(x.g)) ** 2},
    ),
    "adamw_second_moment_of_sizes": Fault(
        "adamw",
        "moment",
        "v averages |g| instead of its square",
        "a square forgotten",
        lines={"v": lambda x: x.h.beta2 * x.s.v + (1 - x.h.beta2) * np.abs(x.g)},
    ),
    "adamw_second_moment_with_beta1": Fault(
        "adamw",
        "moment",
        "beta1 averages both moments",
        "AdEMAMix: a hyperparameter read from its neighbour",
        lines={"v": lambda x: x.h.beta1 * x.s.v + (1 - x.h.beta1) * (x.g * x.g)},
    ),
    "adamw_update_by_gradient": Fault(
        "adamw",
        "moment",
        "the gradient moves p in the place of its average",
        "pytorch/pytorch#106615",
        lines={"m_hat": lambda x: x.g},
    ),
    "adamw_update_one_step_late": Fault(
        "adamw",
        "moment",
        "p moves by the first moment of the step before",
        "optax scale_by_rprop: the previous update is returned",
        lines={"m_hat": lambda x: x.s.m / x.c1},
    ),
    "amsgrad_divides_by_latest": Fault(
        "amsgrad",
        "moment",
        "the maximum is kept, but the latest second moment divides",
        "amsgrad=True without effect",
        lines={"v_hat": lambda x: x.v / x.c2},
    ),
    "amsgrad_divides_by_previous": Fault(
        "amsgrad",
        "moment",
        "the maximum before this step divides",
        "state read before it was written",
        lines={"v_hat": lambda x: x.s.v_max / x.c2},
    ),
    "amsgrad_maximum_not_stored": Fault(
        "amsgrad",
        "moment",
        "the maximum divides the step but is not written back",
        "pytorch/pytorch#78807",
        lines={"new_v_max": lambda x: x.s.v_max},
    ),
    "amsgrad_maximum_of_debiased": Fault(
        "amsgrad",
        "moment",
        "the maximum is taken over corrected moments, and declared as raw",
        "optax and Keras, against PyTorch",
        lines={
            "v_hat": lambda x: np.maximum(x.s.v_max, x.v / x.c2),
            "new_v_max": lambda x: x.v_hat,
        },
        computes="amsgrad with maximum over second moments after bias correction",
    ),
    "amsgrad_maximum_stored_as_root": Fault(
        "amsgrad",
        "moment",
        "the root is taken in place, and so stored as the maximum",
        "pytorch/pytorch#4314",
        lines={"new_v_max": lambda x: np.sqrt(np.maximum(x.s.v_max, x.v))},
    ),
}
