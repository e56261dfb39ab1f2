"""Four over six: of two scales of a block, the one with which its elements miss less.

The extreme of an NVFP4 block becomes 6 or 4, because between those there is no value. What is
missed is the sum of |x~_i - x_i| or of its square; of equal sums 6 is taken.

J. Cook, J. Guo, G. Xiao, Y. Lin, S. Han, "Four Over Six: More Accurate NVFP4 Quantization with
Adaptive Block Scaling" (arXiv:2512.02010); ties as in Transformer Engine's reference.
"""

from dataclasses import replace

import numpy as np

from truestep.reference import declared
from truestep.reference.block_scales import U, interval, second_rounding, stored
from truestep.reference.rules import Quantizer
from truestep.reference.validation import Array

FOUR = 4.0


def chooses(h: declared.Hyper) -> bool:
    """Whether there is a choice."""
    return getattr(h, "four_over_six", "off") != "off"


def chosen(format: Quantizer, h: declared.Hyper, x: Array) -> Array:
    """The scale of every group."""
    m = format.extremes(h, x)
    six, four = (stored(format.row, h, m, becomes=b) for b in (0.0, FOUR))
    with_six, with_four = (_missed(format, h, x, scale) for scale in (six, four))
    return np.where(with_four < with_six, four, six)


def intervals(
    format: Quantizer, h: declared.Hyper, x: Array, scale: Array, division_ulps: float
) -> tuple[Array, Array]:
    """The least and the largest scale that a faithful kernel may give.

    scale: its own, which says what it chose; that is judged where what is missed differs by more
    than a kernel's rounding, unless the roundings are drawn.
    """
    m = format.extremes(h, x)
    six, four = (
        interval(format.row, h, m, becomes=b, division_ulps=division_ulps) for b in (0.0, FOUR)
    )
    takes_four = (four[0] <= scale) & (scale <= four[1])
    if h.rounding != "stochastic":
        (least_six, most_six), (least_four, most_four) = (
            _of_either(format, h, x, ends, division_ulps) for ends in (six, four)
        )
        takes_four = (most_four < least_six) | (takes_four & ~(most_six <= least_four))
    return np.where(takes_four, four[0], six[0]), np.where(takes_four, four[1], six[1])


def _of_either(
    format: Quantizer, h: declared.Hyper, x: Array, ends: tuple[Array, Array], division_ulps: float
) -> tuple[Array, Array]:
    """What is missed, at least and at most, with either end of a scale's interval."""
    found = [_between(format, h, x, end, division_ulps) for end in ends]
    return np.minimum(found[0][0], found[1][0]), np.maximum(found[0][1], found[1][1])


def _squared(h: declared.Hyper) -> bool:
    return bool(h.four_over_six == "mse")


def _read(
    format: Quantizer, h: declared.Hyper, x: Array, scale: Array
) -> tuple[Array, Array, Array]:
    """As what each element is read, by how much that misses it, and by what it was divided."""
    if h.rounding == "stochastic":
        h = replace(h, rounding="nearest_even")
    s = format.per_element(h, format.value(h, scale), x.shape)
    y, size = format.against(x, s)
    with np.errstate(invalid="ignore", over="ignore"):
        near = format.ranked[1][format.nearest(h, y, size)] * s
        return near, np.abs(near - x), size


def _missed(format: Quantizer, h: declared.Hyper, x: Array, scale: Array) -> Array:
    """What each group misses."""
    _, miss, _ = _read(format, h, x, scale)
    with np.errstate(invalid="ignore", over="ignore"):
        terms = miss**2 if _squared(h) else miss
        return np.bincount(format.group_of(h, x.shape).reshape(-1), terms.reshape(-1), scale.size)


def _between(
    format: Quantizer, h: declared.Hyper, x: Array, scale: Array, division_ulps: float
) -> tuple[Array, Array]:
    """What each group misses, at least and at most as a kernel computes it."""
    near, miss, size = _read(format, h, x, scale)
    group = format.group_of(h, x.shape).reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        # The quotient takes one of two values that are as near, or stands for x itself; both
        # levels meet in any order; the difference is rounded, and the sum of the terms.
        slack = 2 * format.quotient_error(h, size, division_ulps) * np.abs(x)
        slack = slack + 4 * second_rounding(h) * np.abs(near) + U * miss
        sums = U * (np.bincount(group, minlength=scale.size) + 2)
        ends = [np.maximum(miss - slack, 0.0), miss + slack]
        if _squared(h):
            # A square may underflow.
            lost = 2.0**-126
            ends = [np.maximum(ends[0] ** 2 - lost, 0.0), ends[1] ** 2 + lost * (ends[1] > 0)]
        low, high = (np.bincount(group, e.reshape(-1), scale.size) for e in ends)
        return low * (1 - sums), high * (1 + sums)
