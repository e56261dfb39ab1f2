"""Faults in the lines of Adam, AdamW and AMSGrad: eps, decay and moments."""

from __future__ import annotations

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.kernels import _signed

EPS = {
    "adamw_eps_inside_root": Fault(
        "adamw",
        "eps",
        "eps added inside the root",
        "kozistr/pytorch_optimizer#397",
        check="update_alone",
        lines={"denominator": lambda k, h, v, c2: k.root(v / c2 + h.eps)},
        computes="adamw with eps added inside the root",
    ),
    "adamw_eps_before_correction": Fault(
        "adamw",
        "eps",
        "eps added to the root before bias correction",
        "Kingma & Ba 2015, end of section 2",
        check="update_alone",
        lines={"denominator": lambda k, h, v, c2: (k.root(v) + h.eps) / np.sqrt(c2)},
        computes="adamw with eps added to the root before bias correction",
    ),
    "adamw_eps_as_floor": Fault(
        "adamw",
        "eps",
        "the larger of root and eps divides",
        "heavyball",
        check="update_alone",
        lines={"denominator": lambda k, h, v, c2: np.maximum(k.root(v / c2), np.float32(h.eps))},
        computes="adamw with eps as a floor of the root",
    ),
    "adamw_eps_missing": Fault(
        "adamw",
        "eps",
        "no eps at all",
        "kozistr/pytorch_optimizer#397",
        check="update_alone",
        lines={"denominator": lambda k, h, v, c2: k.root(v / c2)},
    ),
    "adamw_eps_squared_inside_root": Fault(
        "adamw",
        "eps",
        "eps squared added inside the root",
        "kozistr/pytorch_optimizer#397",
        check="update_alone",
        lines={"denominator": lambda k, h, v, c2: k.root(v / c2 + h.eps**2)},
    ),
    "adamw_eps_inside_and_outside": Fault(
        "adamw",
        "eps",
        "eps added inside the root and outside of it",
        "kozistr/pytorch_optimizer#397",
        check="update_alone",
        lines={"denominator": lambda k, h, v, c2: k.root(v / c2 + h.eps) + h.eps},
    ),
    "adamw_eps_in_float16": Fault(
        "adamw",
        "eps",
        "eps rounded to float16, where 1e-8 is zero",
        "google-deepmind/optax#1754",
        check="update_alone",
        lines={"denominator": lambda k, h, v, c2: k.root(v / c2) + np.float32(np.float16(h.eps))},
    ),
    "adamw_eps_divided_by_lr": Fault(
        "adamw",
        "eps",
        "lr folded into the denominator: nan where lr is zero",
        "pytorch/pytorch#186444",
        check="zero_lr",
        lines={
            "denominator": lambda k, h, v, c2: (
                k.root(v / c2) / np.float32(h.lr) + np.float32(h.eps) / np.float32(h.lr)
            ),
            "moved": lambda h, p, update: p - update,
        },
    ),
}

DECAY = {
    "adamw_decay_after_step": Fault(
        "adamw",
        "decay",
        "decay applied to the moved parameter",
        "bitsandbytes-foundation/bitsandbytes#2010",
        check="lockstep",
        lines={
            "decayed": lambda h, p: p,
            "finished": lambda h, p: p * (1 - h.lr * h.weight_decay),
        },
        computes="adamw with weight decay, multiplied by lr, after the step",
    ),
    "adamw_decay_without_lr": Fault(
        "adamw",
        "decay",
        "decay not multiplied by lr",
        "pytorch/pytorch#3790",
        check="lockstep",
        lines={
            "decayed": lambda h, p: p,
            "moved": lambda h, p, update: p - (h.lr * update + h.weight_decay * p),
        },
        computes="adamw with weight decay not multiplied by lr",
    ),
    "adamw_decay_in_gradient": Fault(
        "adamw",
        "decay",
        "decay added to the gradient, as in Adam",
        "google-deepmind/optax#1441",
        check="lockstep",
        lines={
            "gradient": lambda h, p, g: _signed(h, p, g) + h.weight_decay * p,
            "decayed": lambda h, p: p,
        },
        computes="adam with both moments corrected for their zero start; weight decay added to the "
        "gradient; eps added to the root of the corrected second moment",
    ),
    "adamw_decay_ignored": Fault(
        "adamw",
        "decay",
        "weight decay never reaches the kernel",
        "bitsandbytes-foundation/bitsandbytes: adamw_bnb_8bit dispatched to Adam8bit",
        check="lockstep",
        lines={"decayed": lambda h, p: p},
    ),
    "adamw_decay_negated": Fault(
        "adamw",
        "decay",
        "weights grow instead of shrinking",
        "chainer/chainer#261",
        check="lockstep",
        lines={"decayed": lambda h, p: p * (1 + h.lr * h.weight_decay)},
    ),
    "adamw_decay_subtracts_shrunk": Fault(
        "adamw",
        "decay",
        "p - p (1 - lr weight_decay) where p (1 - lr weight_decay) is meant",
        "AdamW in Keras style: variable.assign_sub(variable * (1 - lr * wd))",
        check="lockstep",
        lines={"decayed": lambda h, p: p - p * (1 - h.lr * h.weight_decay)},
    ),
    "adamw_decay_by_lr_twice": Fault(
        "adamw",
        "decay",
        "decay multiplied by lr twice",
        "kozistr/pytorch_optimizer#170",
        check="lockstep",
        lines={"decayed": lambda h, p: p * (1 - h.lr * h.lr * h.weight_decay)},
    ),
    "adamw_decay_flipped_when_maximizing": Fault(
        "adamw",
        "decay",
        "maximize turns the decay into growth",
        "pytorch/pytorch#86745",
        check="lockstep",
        lines={
            "decayed": lambda h, p: (
                p * (1 - (-h.lr if h.maximize else h.lr) * h.weight_decay)
            )
        },
    ),
    "adamw_decay_in_bfloat16": Fault(
        "adamw",
        "decay",
        "the factor 1 - lr weight_decay rounded to bfloat16, often to 1",
        "Nerogar/OneTrainer#996",
        check="lockstep",
        lines={"decayed": lambda h, p: p * bfloat16(1 - h.lr * h.weight_decay)},
    ),
    "adamw_decay_where_gradient_is_zero_skipped": Fault(
        "adamw",
        "decay",
        "elements without a gradient are not decayed",
        "sparse gradients: lazy decay",
        check="all_zero",
        slot=lambda step, h, slot: keep_param(slot, step(h, slot), slot.grad == 0),
    ),
    "adam_decay_before_sign": Fault(
        "adam",
        "decay",
        "maximize negates the gradient after the decay was added",
        "kozistr/pytorch_optimizer#528",
        check="lockstep",
        lines={"gradient": lambda h, p, g: (-1 if h.maximize else 1) * (g + h.weight_decay * p)},
    ),
}

MOMENTS = {
    "adamw_second_moment_of_first": Fault(
        "adamw",
        "moment",
        "v averages the squares of m",
        "variable mixed up",
        check="lockstep",
        lines={"update": lambda m, c1, g, d: m / c1 / d},
        slot=lambda step, h, slot: second_of(h, slot, step(h, slot)),
    ),
    "adamw_second_moment_of_sizes": Fault(
        "adamw",
        "moment",
        "v averages |g| instead of its square",
        "pytorch/pytorch#85841 (squared twice, or not at all)",
        check="lockstep",
        lines={"second": lambda h, v, g: h.beta2 * v + (1 - h.beta2) * np.abs(g)},
    ),
    "adamw_second_moment_of_roots": Fault(
        "adamw",
        "moment",
        "the average is of roots of squares, squared again",
        "root before averaging",
        check="lockstep",
        lines={
            "second": lambda h, v, g: (h.beta2 * np.sqrt(v) + (1 - h.beta2) * np.abs(g)) ** 2
        },
    ),
    "adamw_second_moment_with_beta1": Fault(
        "adamw",
        "moment",
        "beta1 used for both moments",
        "kozistr/pytorch_optimizer: alpha read from eps",
        check="lockstep",
        lines={"second": lambda h, v, g: h.beta1 * v + (1 - h.beta1) * (g * g)},
    ),
    "adamw_first_moment_without_complement": Fault(
        "adamw",
        "moment",
        "m adds the whole gradient, as a momentum buffer does",
        "exponential average taken for a sum",
        check="lockstep",
        lines={"first": lambda h, m, g: h.beta1 * m + g},
    ),
    "adamw_first_moment_holds_lr": Fault(
        "adamw",
        "moment",
        "lr multiplies the gradient before it is averaged",
        "kozistr/pytorch_optimizer: Adafactor with beta1 > 0",
        check="lockstep",
        lines={
            "first": lambda h, m, g: h.beta1 * m + (1 - h.beta1) * (h.lr * g),
            "moved": lambda h, p, update: p - update,
        },
    ),
    "adamw_update_by_gradient": Fault(
        "adamw",
        "moment",
        "the gradient moves p in the place of its average",
        "pytorch/pytorch#106615",
        check="lockstep",
        lines={"update": lambda m, c1, g, d: g / c1 / d},
    ),
    "adamw_update_one_step_late": Fault(
        "adamw",
        "moment",
        "p moves by the moments of the step before",
        "optax scale_by_rprop: the previous update is returned",
        check="lockstep",
        slot=lambda step, h, slot: late(step, h, slot),
    ),
    "adamw_maximize_ignored": Fault(
        "adamw",
        "moment",
        "maximize minimizes",
        "kozistr/pytorch_optimizer#528",
        check="lockstep",
        lines={"gradient": lambda h, p, g: g},
    ),
    "amsgrad_maximum_not_stored": Fault(
        "amsgrad",
        "moment",
        "the maximum divides the step but is not written back",
        "pytorch/pytorch#78807",
        check="lockstep",
        lines={"kept_largest": lambda v_max, v, c2: v_max},
    ),
    "amsgrad_maximum_stored_as_root": Fault(
        "amsgrad",
        "moment",
        "the root is taken in place, and stored as the maximum",
        "pytorch/pytorch#4314",
        check="lockstep",
        lines={"kept_largest": lambda v_max, v, c2: np.sqrt(np.maximum(v_max, v))},
    ),
    "amsgrad_maximum_of_debiased": Fault(
        "amsgrad",
        "moment",
        "the maximum is taken over corrected moments, declared as raw",
        "libraries differ: optax and Keras",
        check="lockstep",
        lines={
            "kept_largest": lambda v_max, v, c2: np.maximum(v_max, v / c2),
            "largest": lambda v_max, v: v,
            "denominator": lambda k, h, v, c2: k.root(v / c2) + h.eps,
        },
        slot=lambda step, h, slot: debiased(step, h, slot),
        computes="amsgrad with maximum over second moments after bias correction",
    ),
    "amsgrad_divides_by_latest": Fault(
        "amsgrad",
        "moment",
        "the maximum is kept but the latest second moment divides",
        "pytorch/pytorch#78807, the other way round",
        check="lockstep",
        lines={"largest": lambda v_max, v: v},
    ),
    "amsgrad_divides_by_previous": Fault(
        "amsgrad",
        "moment",
        "the maximum before this step divides",
        "state read before it was written",
        check="lockstep",
        lines={"largest": lambda v_max, v: v_max},
    ),
}
