"""Clipping a gradient by a percentile of its last hundred norms, as bitsandbytes does.

Rule
    t = t + 1
    gnorm_vec[t mod 100] = |g|^2; at t = 1 all hundred
    clip_value = sqrt(sort(gnorm_vec)[percentile])
    g = clip_value / |g| g where |g| > clip_value

Shapes
    g: any shape, one tensor alone; gnorm_vec: a vector of 100 squared norms; t: the calls before.
    run: these three, to the tensor clipped and the new vector and count, and the 0-d norm and
    clip_value, which not every library tells.

Domain
    percentile an integer >= 0.

Choices
    percentile: from 99 on nothing is clipped, because the tensor is one of the hundred itself.
    bitsandbytes' optimizers take 100 for no clipping, and then keep no vector.

Special cases
    The first gradient is kept. A zero gradient stays zero. A nan sorts last and passes unclipped;
    an infinity makes its own element nan and the others 0, where the clip value is finite. Either
    stays in the vector for a hundred calls.

Judged
    All of it by the bounded contract.

Sources
    bitsandbytes 0.45.5 functional.percentile_clipping and its kernel kPercentileClipping, on CUDA
    alone; removed in 0.50. T. Dettmers, M. Lewis, S. Shleifer, L. Zettlemoyer, "8-bit Optimizers
    via Block-wise Quantization", ICLR 2022 (arXiv:2110.02861), whose code it came with.
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count
from truestep.reference.validation import Array

DIALECTS: dict[str, dict[str, str]] = {}
INPUTS = {"gnorm_vec": "array", "gradient": "tensor", "t": "count"}
OPTIONAL = ("clip_value", "norm")
SLOTS = 100


class Hyper(declared.Hyper):
    """How many of the hundred norms lie below the one that clips."""

    percentile: Annotated[int, Count(0, (5, 50, 95, 10, 75, 1), (0, 99, 100))] = 5


def recorded(gnorm_vec: Array, t: int, square: Array) -> Array:
    """The vector with the squared norm of the t-th gradient, counted from one."""
    if t == 1:
        return np.copy(np.broadcast_to(square, (SLOTS,)))
    slot = t % SLOTS
    return np.concatenate([gnorm_vec[:slot], np.reshape(square, (1,)), gnorm_vec[slot + 1 :]])


def run(h: Hyper, *, gradient: Array, gnorm_vec: Array, t: int) -> dict[str, Array]:
    """A gradient clipped, and the norms that the next one is held against."""
    t = t + 1
    square = np.sum(gradient * gradient)
    gnorm_vec = recorded(gnorm_vec, t, square)
    norm = np.sqrt(square)
    clip_value = np.sqrt(np.sort(gnorm_vec)[min(h.percentile, SLOTS - 1)])
    # The larger of both is the norm wherever the quotient is taken.
    larger = np.maximum(norm, clip_value)
    shortened = clip_value / np.where(larger > 0, larger, 1.0)
    return {
        "clip_value": clip_value,
        "clipped": gradient * np.where(norm > clip_value, shortened, 1.0),
        "gnorm_vec": gnorm_vec,
        "norm": norm,
        "t": t,
    }
