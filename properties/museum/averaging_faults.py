"""Faults in AdEMAMix, LARS, NAdam, RAdam and averaging: weights, corrections, what is averaged."""

from __future__ import annotations

from typing import Any

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.kernels import rectification


def _rho_in_float32(x: Any) -> Any:
    power = np.float32(x.h.beta2) ** np.float32(x.t)
    return float(np.float32(x.rho_inf) - 2 * np.float32(x.t) * power / (1 - power))


AVERAGING = {
    "ademamix_alpha_from_eps": Fault(
        "ademamix",
        "averaging",
        "the slow average is weighed by eps",
        "Koratahiu/Advanced_Optimizers#1",
        lines={"alpha": lambda x: x.h.eps},
    ),
    "ademamix_slow_average_with_beta1": Fault(
        "ademamix",
        "averaging",
        "beta1 averages the slow average too",
        "a hyperparameter read from its neighbour",
        lines={"m2": lambda x: x.h.beta1 * x.s.m2 + (1 - x.h.beta1) * x.g},
    ),
    "lars_decay_in_the_ratio_alone": Fault(
        "lars",
        "averaging",
        "weight decay is part of the ratio, but moves nothing",
        "ooples/AiDotNet.Tensors#955",
        lines={"update": lambda x: x.trust * x.g},
    ),
    "lars_ratio_outside_the_buffer": Fault(
        "lars",
        "averaging",
        "the ratio multiplies the whole buffer, not what enters it",
        "ooples/AiDotNet.Tensors#955",
        lines={
            "update": lambda x: x.g + x.h.weight_decay * x.p,
            "new_p": lambda x: x.p - x.trust * x.b,
        },
    ),
    "nadam_corrected_as_the_gradient": Fault(
        "nadam",
        "averaging",
        "the average is corrected by the product that is due to the gradient",
        "ooples/AiDotNet.Tensors#960",
        lines={"from_average": lambda x: x.mu_next * x.m / (1 - x.mu_product)},
    ),
    "nadam_gradient_in_both_terms": Fault(
        "nadam",
        "averaging",
        "the gradient stands where the average is due",
        "pytorch/pytorch#106615",
        lines={"from_average": lambda x: x.mu_next * x.g / (1 - x.mu_product * x.mu_next)},
    ),
    "polyak_ruppert_average_of_the_last_points": Fault(
        "polyak_ruppert",
        "averaging",
        "the average takes up p before the step",
        "state read before it was written",
        lines={
            "average": lambda x: (
                x.moved if x.copies else x.s.average + (x.p - x.s.average) / x.count
            )
        },
    ),
    "polyak_ruppert_count_ahead": Fault(
        "polyak_ruppert",
        "averaging",
        "the number of points averaged is one too large",
        "pytorch/vision#4544",
        lines={"count": lambda x: x.t - x.h.start + 1},
    ),
    "radam_corrections_stored": Fault(
        "radam",
        "averaging",
        "the first moment is corrected in place, and so corrected again at the next step",
        "frgfm/holocron#1",
        lines={"new_m": lambda x: x.m_hat},
    ),
    "radam_rectified_beyond_five": Fault(
        "radam",
        "averaging",
        "the step is adaptive where rho > 5, and not where rho > 4",
        "a threshold on which libraries differ",
        lines={"r": lambda x: rectification(x) if x.rho > 5 else 0.0},
        check="combinations",
    ),
    "radam_rectification_in_float32": Fault(
        "radam",
        "averaging",
        "rho, near 4 at first, is computed in float32",
        "ooples/AiDotNet.Tensors#960",
        lines={"rho": _rho_in_float32},
    ),
}
