"""Faults in LAMB's trust ratio and in Lion's sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.kernels import norm

NORM = {
    "lamb_norm_in_float16": Fault(
        "lamb",
        "norm",
        "squares are summed in float16, where they overflow beyond a norm of 256",
        "facebookresearch/fairscale#263",
        lines={"p_norm": lambda x: norm(x.p.astype(np.float16)).astype(np.float32)},
    ),
    "lamb_norm_of_full_blocks": Fault(
        "lamb",
        "norm",
        "the norm leaves out the last, partial block of 16",
        "a reduction without its tail",
        lines={"p_norm": lambda x: norm(x.p.reshape(-1)[: x.p.size // 16 * 16])},
    ),
    "lamb_norm_of_shrunk": Fault(
        "lamb",
        "norm",
        "the norm is that of the parameter after its decay",
        "tensorflow/addons#2683",
        lines={"p_norm": lambda x: norm(x.p * (1 - x.h.lr * x.h.weight_decay))},
    ),
    "lamb_norm_per_row": Fault(
        "lamb",
        "norm",
        "each row has a trust ratio of its own",
        "a reduction over the last axis alone",
        lines={
            "ratio": lambda x: (
                _row_norms(x.p) / np.where(_row_norms(x.update) > 0, _row_norms(x.update), 1)
            )
        },
    ),
    "lamb_norm_without_decay": Fault(
        "lamb",
        "norm",
        "the decay is not part of the norm of the update",
        "Paddle and others: decay added after the ratio",
        lines={"update_norm": lambda x: norm(x.adam)},
    ),
    "lamb_ratio_of_one_for_zero": Fault(
        "lamb",
        "norm",
        "a zero parameter moves with trust ratio 1, where 0 is declared",
        "NVIDIA apex and most libraries, against the paper",
        lines={"ratio": lambda x: x.p_norm / x.update_norm if x.p_norm > 0 < x.update_norm else 1},
        computes="lamb with trust ratio 1 where a norm is zero",
    ),
}

SIGN = {
    "lion_betas_swapped": Fault(
        "lion",
        "sign",
        "beta2 mixes the update and beta1 the momentum",
        "lucidrains/lion-pytorch: arguments in another order",
        lines={
            "c": lambda x: x.h.beta2 * x.s.m + (1 - x.h.beta2) * x.g,
            "m": lambda x: x.h.beta1 * x.s.m + (1 - x.h.beta1) * x.g,
        },
    ),
    "lion_decay_after_step": Fault(
        "lion",
        "sign",
        "decay applied to the moved parameter",
        "bitsandbytes: decay in some copies of Lion",
        lines={"new_p": lambda x: (x.p - x.h.lr * x.direction) * (1 - x.h.lr * x.h.weight_decay)},
    ),
    "lion_decay_without_lr": Fault(
        "lion",
        "sign",
        "decay not multiplied by lr",
        "libraries differ",
        lines={"new_p": lambda x: x.p * (1 - x.h.weight_decay) - x.h.lr * x.direction},
        computes="lion with weight decay not multiplied by lr",
    ),
    "lion_sign_of_new_momentum": Fault(
        "lion",
        "sign",
        "the sign is that of the momentum after its update",
        "state written before it was read",
        lines={"direction": lambda x: np.sign(x.h.beta1 * x.m + (1 - x.h.beta1) * x.g)},
    ),
    "lion_sign_of_zero_is_one": Fault(
        "lion",
        "sign",
        "zero counts as positive",
        "signs taken from a comparison or from the sign bit",
        check="all_zero",
        lines={"direction": lambda x: np.where(x.c >= 0, np.float32(1), np.float32(-1))},
    ),
}


def _row_norms(x: Any) -> Any:
    return np.sqrt(np.sum(x * x, axis=-1, keepdims=True)) if x.ndim else np.abs(x)
