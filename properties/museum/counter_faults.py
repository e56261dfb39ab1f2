"""Faults in step counters and bias corrections, and in the precision of constants and state."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.line_faults import bfloat16


@lru_cache(maxsize=256)
def _product(beta: float, t: int) -> float:
    """beta^t multiplied up one step after another in float32; a million steps have underflowed."""
    factors = np.full(min(t, 1_000_000), np.float32(beta))
    return float(np.multiply.accumulate(factors)[-1])


def _rounded(rounding: Callable[[float], Any], *names: str) -> Callable[[Any], Any]:
    """A line that rounds the named hyperparameters, past their validation."""

    def line(x: Any) -> SimpleNamespace:
        fields = {name: getattr(x.h, name) for name in x.h.__dataclass_fields__}
        return SimpleNamespace(**fields | {name: float(rounding(fields[name])) for name in names})

    return line


def _truncated(x: float) -> float:
    """The upper sixteen bits of x in float32, as a bfloat16."""
    return float((np.array(x, np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32))


COUNTER = {
    "adamw_correction_of_first_only": Fault(
        "adamw",
        "counter",
        "only the first moment is corrected",
        "half of a bias correction",
        lines={"c2": lambda x: 1.0},
    ),
    "adamw_correction_of_second_only": Fault(
        "adamw",
        "counter",
        "only the second moment is corrected",
        "half of a bias correction",
        lines={"c1": lambda x: 1.0},
    ),
    "adamw_corrections_ahead_after_first_chunk": Fault(
        "adamw",
        "counter",
        "elements beyond the first 64 see the count of the next step",
        "PaddlePaddle/Paddle#62251",
        lines={
            "c1": lambda x: 1 - x.h.beta1 ** _ahead(x),
            "c2": lambda x: 1 - x.h.beta2 ** _ahead(x),
        },
    ),
    "adamw_corrections_ignored": Fault(
        "adamw",
        "counter",
        "no bias correction",
        "Adam and AdamW without bias_correction",
        lines={"c1": lambda x: 1.0, "c2": lambda x: 1.0},
        computes="adam with moments not corrected for their zero start",
    ),
    "adamw_corrections_stored": Fault(
        "adamw",
        "counter",
        "the first moment is corrected in place, and so corrected again at the next step",
        "frgfm/holocron#1",
        lines={"new_m": lambda x: x.m_hat},
    ),
    "adamw_count_ahead": Fault(
        "adamw",
        "counter",
        "corrections use t + 1",
        "karpathy/nanochat#818",
        lines={"t": lambda x: x.s.t + 2},
    ),
    "adamw_count_behind": Fault(
        "adamw",
        "counter",
        "corrections use t - 1",
        "counters from 0",
        lines={"t": lambda x: x.s.t},
    ),
    "adamw_count_in_bfloat16": Fault(
        "adamw",
        "counter",
        "the counter is a bfloat16 and stays at 256",
        "pytorch/pytorch#74424",
        check="counter",
        lines={
            "t": lambda x: int(bfloat16(bfloat16(x.s.t) + 1)),
            "new_t": lambda x: x.t,
        },
    ),
    "adamw_count_in_float32": Fault(
        "adamw",
        "counter",
        "the counter is a float32 and stays at 2^24",
        "pytorch/pytorch: step is a float32 tensor",
        check="counter_beyond_float32",
        lines={"new_t": lambda x: int(np.float32(x.s.t) + np.float32(1))},
    ),
    "adamw_count_in_int8": Fault(
        "adamw",
        "counter",
        "the counter saturates at 256, in the corrections alone",
        "pytorch/pytorch#74424",
        check="counter",
        lines={"t": lambda x: min(x.s.t + 1, 256)},
    ),
    "adamw_count_not_advanced": Fault(
        "adamw",
        "counter",
        "the counter is not stored",
        "SkipStepAdamW: the step counter is never incremented",
        lines={"new_t": lambda x: x.s.t},
    ),
    "adamw_count_of_float_bits": Fault(
        "adamw",
        "counter",
        "the bits of the integer counter are read as a float",
        "ooples/AiDotNet.Tensors#719",
        lines={"t": lambda x: float(np.array(x.s.t + 1, np.int32).view(np.float32))},
    ),
    "adamw_count_twice": Fault(
        "adamw",
        "counter",
        "the counter advances in the wrapper and in the kernel: 1, 3, 5, ...",
        "unslothai/unsloth#10842",
        lines={"t": lambda x: 2 * x.s.t + 1},
    ),
    "adamw_powers_as_float32_product": Fault(
        "adamw",
        "counter",
        "beta^t multiplied up in float32, step after step",
        "PaddlePaddle/Paddle#58378",
        lines={
            "c1": lambda x: 1 - _product(x.h.beta1, x.t),
            "c2": lambda x: 1 - _product(x.h.beta2, x.t),
        },
    ),
}

PRECISION = {
    "adamw_beta2_in_bfloat16": Fault(
        "adamw",
        "precision",
        "beta2 truncated to bfloat16: 0.999 becomes 0.996",
        "tenstorrent/tt-metal#55935",
        lines={"h": _rounded(_truncated, "beta2")},
    ),
    "adamw_betas_in_float32": Fault(
        "adamw",
        "precision",
        "betas kept in float32 where double is declared",
        "google-deepmind/optax#1532",
        lines={"h": _rounded(np.float32, "beta1", "beta2")},
    ),
    "adamw_complement_of_beta2_in_float32": Fault(
        "adamw",
        "precision",
        "1 - beta2 computed in float32",
        "google-deepmind/optax#1532",
        lines={
            "v": lambda x: x.h.beta2 * x.s.v + (np.float32(1) - np.float32(x.h.beta2)) * (x.g * x.g)
        },
    ),
    "adamw_division_off_by_2e-6": Fault(
        "adamw",
        "precision",
        "a division with relative error 2e-6",
        "approximate reciprocals without a Newton step",
        check="update_alone",
        lines={"update": lambda x: x.m_hat / x.denominator * np.float32(1 + 2e-6)},
    ),
    "adamw_first_moment_in_float16": Fault(
        "adamw",
        "precision",
        "m rounded to float16 before it is stored",
        "pytorch/pytorch#3658",
        lines={"new_m": lambda x: x.m.astype(np.float16)},
    ),
    "adamw_gradient_in_float16": Fault(
        "adamw",
        "precision",
        "the gradient passes through float16",
        "mixed precision: gradients cast to the parameters' former format",
        lines={"g": lambda x: (-x.g if x.h.maximize else x.g).astype(np.float16).astype(x.g.dtype)},
    ),
    "adamw_lr_in_float16": Fault(
        "adamw",
        "precision",
        "lr rounded to float16",
        "host scalars cast to a tensor's format",
        check="update_alone",
        lines={"h": _rounded(np.float16, "lr")},
    ),
    "adamw_root_off_by_2e-6": Fault(
        "adamw",
        "precision",
        "a square root with relative error 2e-6",
        "approximate roots without a Newton step",
        check="update_alone",
        lines={"denominator": lambda x: np.sqrt(x.v_hat) * np.float32(1 + 2e-6) + x.h.eps},
    ),
    "adamw_second_moment_in_bfloat16": Fault(
        "adamw",
        "precision",
        "v rounded to bfloat16 before it is stored",
        "fairscale#50",
        lines={"new_v": lambda x: np.vectorize(bfloat16, otypes=[np.float32])(x.v)},
    ),
    "adamw_update_in_bfloat16": Fault(
        "adamw",
        "precision",
        "the update rounded to bfloat16 before it is applied",
        "updates computed in the gradients' format",
        check="update_alone",
        lines={"update": lambda x: each_bfloat16(x.m_hat / x.denominator)},
    ),
}

SPECIAL = {
    "adamw_gradient_clipped": Fault(
        "adamw",
        "special",
        "gradients limited to 1e6 without being asked",
        "a guard left in",
        check="special_values",
        lines={"g": lambda x: np.clip(-x.g if x.h.maximize else x.g, -1e6, 1e6)},
    ),
    "adamw_nan_taken_for_zero": Fault(
        "adamw",
        "special",
        "a nan gradient counts as zero",
        "hipDNN: a maximum that drops nan",
        check="special_values",
        lines={"g": lambda x: np.where(np.isnan(x.g), 0, -x.g if x.h.maximize else x.g)},
    ),
    "adamw_nonfinite_step_skipped": Fault(
        "adamw",
        "special",
        "elements whose gradient is not finite are left as they were",
        "found_inf without a scaler",
        check="special_values",
        lines={"new_p": lambda x: np.where(np.isfinite(x.g), x.p - x.h.lr * x.update, x.p)},
    ),
    "adamw_subnormals_flushed": Fault(
        "adamw",
        "special",
        "subnormal squares are flushed to zero, declared as kept",
        "-ffast-math on the host",
        check="full_range",
        lines={"v": lambda x: _flushed(x.h.beta2 * x.s.v + (1 - x.h.beta2) * (x.g * x.g))},
    ),
    "adamw_zero_gradient_skipped": Fault(
        "adamw",
        "special",
        "state is written but p is not where the gradient is zero",
        "a shortcut for sparse gradients",
        lines={"new_p": lambda x: np.where(x.g == 0, x.p, x.p - x.h.lr * x.update)},
    ),
}


def _ahead(x: Any) -> Any:
    """The count that each element sees."""
    return x.t + (np.arange(x.g.size) >= 64).reshape(x.g.shape)


def each_bfloat16(x: Any) -> Any:
    """Every element rounded to bfloat16."""
    return np.vectorize(bfloat16, otypes=[np.float32])(x) if x.size else x


def _flushed(x: Any) -> Any:
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.float32(0), x)
