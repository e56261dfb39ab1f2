"""Delayed scaling for training in 8-bit floats: a tensor's scale from its earlier extremes.

Rule
    scaled = min(max(x scale, -largest), largest), which is what is cast
    amax_history[0] = max(amax_history[0], max |x|)
    amax = max(amax_history), or amax_history[0]
    scale = largest 2^-margin / amax, for the next tensor
    amax_history = (0, amax_history[2], ..., amax_history[last], amax_history[0])

Shapes
    x: any shape; amax_history: a vector of amax_history_len numbers >= 0; scale: 0-d. run: these
    three, to the tensor scaled and the new history and scale.

Domain
    largest > 0; margin >= 0 and amax_history_len >= 1 integers; scale > 0.

Choices
    amax_compute_algo: the maximum of the history, or its newest entry.
    nan: torch's maximum is nan where an entry is, and the scale then stays. The fused kernel and
    those that find max |x| use fmaxf, which passes over a nan.
    power: Transformer Engine's scales were powers of two in its early versions, by floor(log2), as
    those of its current scaling with force_pow_2_scales are; now they are quotients.
    overflow: the fused kernel divides largest 2^-margin by amax; the functions in Python divide the
    quotient largest / amax by 2^margin, which has become infinite where amax is so much larger.
    newest: the kernels raise the newest entry to the extreme, for a tensor may be cast several
    times before an update; Keras and Flax put the extreme in its place.
    kept: Keras and Flax keep the reciprocal of the scale, by which they divide. torchao, up to 0.8,
    rolled its history the other way, had no margin, and no amax below 1e-12.

Special cases
    The scale stays where amax is 0, nan or infinite. Where the quotient would be infinite in
    float32, the scale is the largest float32 number. An empty tensor has max |x| = 0.

Judged
    The history exactly; a scale that is a power of two exactly, or as either where rounding may
    turn it; otherwise scale and scaled by the bounded contract.

Sources
    P. Micikevicius et al., "FP8 Formats for Deep Learning", 2022 (arXiv:2209.05433), section 3.
    NVIDIA TransformerEngine: common/recipe/delayed_scaling.cu; pytorch/quantization.py,
    _default_get_amax_and_update_history and _default_sf_compute; common/recipe/recipe_common.cuh.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Real
from truestep.reference.validation import Array

DIALECTS = {
    "amax_compute_algo": {
        "max": "amax the maximum of the history",
        "most_recent": "amax the newest of the history",
    },
    "kept": {
        "reciprocal": "scale the reciprocal, by which is divided",
        "scale": "scale what is multiplied by",
    },
    "nan": {"passed_over": "nans passed over by maxima", "seen": "maxima of nans are nan"},
    "newest": {
        "raised": "the newest entry raised to the extreme",
        "replaced": "the newest entry replaced by the extreme",
    },
    "overflow": {
        "of_quotient": "the largest scale where largest / amax overflows",
        "of_scale": "the largest scale where the scale itself overflows",
    },
    "power": {"floor": "scale rounded down to a power of two", "none": "scale as it is divided"},
}
INPUTS = {"amax_history": "array", "scale": "number", "x": "array"}
OPTIONAL = ("scaled",)
# Scales are float32 numbers.
GREATEST = float(np.finfo(np.float32).max)
POWERS = 2.0 ** np.arange(-126, 128)


class Hyper(declared.Hyper):
    """Transformer Engine's names and defaults; largest is that of the 8-bit format."""

    largest: Annotated[float, Real(0.0, open="low", usual=(448.0, 57344.0, 240.0))] = 448.0
    margin: Annotated[int, Count(0, (0, 1, 2, 4))] = 0
    amax_history_len: Annotated[int, Count(1, (4, 1, 2, 3, 16, 1024))] = 1024
    amax_compute_algo: Literal["max", "most_recent"] = "max"
    kept: Literal["reciprocal", "scale"] = "scale"
    nan: Literal["passed_over", "seen"] = "seen"
    newest: Literal["raised", "replaced"] = "raised"
    overflow: Literal["of_quotient", "of_scale"] = "of_scale"
    power: Literal["floor", "none"] = "none"


def maximum(h: Hyper, x: Array) -> Array:
    """max |x|, 0 of nothing."""
    if not x.size:
        return np.zeros(())
    size = np.abs(x)
    return np.max(np.where(np.isnan(size), 0.0, size) if h.nan == "passed_over" else size)


def recorded(h: Hyper, history: Array, x: Array) -> Array:
    """The history with the tensor's extreme as the newest entry."""
    newest = np.reshape(maximum(h, x), (1,))
    if h.newest == "raised":
        newest = np.reshape(maximum(h, np.concatenate([history[:1], newest])), (1,))
    return np.concatenate([newest, history[1:]])


def next_scale(h: Hyper, amax: Array, scale: Array) -> Array:
    """The scale of the next tensor, from an amax of this and earlier ones."""
    if not (np.isfinite(amax) and amax > 0):
        return scale
    within = h.largest if h.overflow == "of_quotient" else h.largest * 2.0**-h.margin
    scale = np.where(amax > within / GREATEST, h.largest * 2.0**-h.margin / amax, GREATEST)
    if h.power == "floor":
        scale = np.max(np.where(scale >= POWERS, POWERS, POWERS[0] * np.ones_like(scale)))
    return 1 / scale if h.kept == "reciprocal" else scale


def rolled(history: Array) -> Array:
    """The history one step later, its newest entry still to come."""
    later = np.concatenate([history[1:], history[:1]])
    return np.concatenate([np.zeros(1), later[1:]])


def run(h: Hyper, *, x: Array, amax_history: Array, scale: Array) -> dict[str, Array]:
    """A tensor scaled for the cast, and what the next one is scaled by."""
    history = recorded(h, amax_history, x)
    amax = maximum(h, history) if h.amax_compute_algo == "max" else history[0]
    scaled = x / scale if h.kept == "reciprocal" else x * scale
    return {
        "amax_history": rolled(history),
        "scale": next_scale(h, amax, scale),
        "scaled": np.minimum(np.maximum(scaled, -h.largest), h.largest),
    }
