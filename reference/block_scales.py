"""The scale of a group: from its extreme to what is stored, and what a stored one stands for.

What tells one format from another is its row's (``format_rows``); ``block_formats`` says the rest.
"""

import math
from collections.abc import Sequence

import numpy as np

from truestep.reference import declared
from truestep.reference.element_tables import SMALL_E4M3
from truestep.reference.format_rows import Row
from truestep.reference.powers_of_two import BIAS, NAN, exponent
from truestep.reference.powers_of_two import value as power_of_two
from truestep.reference.validation import Array

U = 2.0**-24
# Of the few float64 roundings of the intervals themselves.
OWN = 2.0**-50
_EPSILON_E4M3, _EPSILON_FLOAT32 = np.float64(2.0**-3), np.float64(2.0**-23)


def e4m3_nearest(y: Array) -> Array:
    """The code of the e4m3 number nearest to y >= 0, ties to even, saturated; nan stays nan."""
    code = np.minimum(SMALL_E4M3.nearest(y), SMALL_E4M3.largest)
    return np.where(np.isnan(y), SMALL_E4M3.largest + 1, code).astype(np.uint8)


def keeps_absmax(h: declared.Hyper) -> bool:
    """Whether the extreme stands in the place of the quotient that is the scale."""
    return getattr(h, "kept", "") == "absmax"


def second_level(h: declared.Hyper) -> float:
    """The scale of the whole tensor, as a float32 kernel has it; 1 where there is none."""
    scale = getattr(h, "tensor_scale", 1.0)
    if getattr(h, "level", "") == "reciprocal":
        return 1 / float(np.float32(1 / scale))
    return float(np.float32(scale))


def second_rounding(h: declared.Hyper) -> float:
    """How far a kernel's scale may be off, relatively, where it works that out as it reads."""
    if keeps_absmax(h):
        return 2 * U
    return 0.0 if np.frexp(second_level(h))[0] == 0.5 else U


def value(row: Row, h: declared.Hyper, scale: Array) -> Array:
    """By what an element of a group with this stored scale is multiplied."""
    if row.scale == "e8m0":
        return power_of_two(scale)
    if row.scale == "e4m3":
        return SMALL_E4M3.decode(h, scale) * second_level(h)
    return np.asarray(scale, np.float64)


def stored(
    row: Row, h: declared.Hyper, m: Array, *, becomes: float = 0.0, error: float = 0.0
) -> Array:
    """The scale of groups with the extremes m, as it is stored.

    becomes: the value that the extreme gets, the row's largest if 0. error: how far off the
    quotient is, relatively.
    """
    if row.scale == "absmax" or keeps_absmax(h):
        least = h.least if row.scale == "absmax" else 0.0
        return np.where(np.abs(m) < least, least, m).astype(np.float32)
    if row.scale == "e8m0":
        return _shared_exponent(row, h, m)
    y = m / (becomes or row.largest) / second_level(h) * (1 + error)
    if row.scale == "float16":
        with np.errstate(over="ignore"):
            return y.astype(np.float32).astype(np.float16)
    if row.scale == "e4m3":
        code = e4m3_nearest(np.where(np.isinf(y), np.nan, np.maximum(y, h.least)))
        return _nonzero(h, code, e4m3_nearest(_EPSILON_E4M3))
    return _nonzero(h, _quotient(h, y), _EPSILON_FLOAT32)


def interval(
    row: Row, h: declared.Hyper, m: Array, *, becomes: float = 0.0, division_ulps: float = 0.5
) -> tuple[Array, Array]:
    """The least and the largest scale, as it is stored, that a faithful kernel may give."""
    whole = abs(np.frexp(row.largest)[0]) == 0.5
    # Divided by the largest value, or multiplied by its rounded reciprocal; and by what that is
    # over another one.
    slack = 2 * division_ulps * U + (0.0 if whole else U) + 2 * second_rounding(h) + OWN
    if becomes:
        slack += U
    if row.scale == "float16" and whole and division_ulps <= 0.5:
        slack = 0.0
    ends = [stored(row, h, m, becomes=becomes, error=e) for e in (-slack, slack)]
    # Epsilon in the place of zero is above what follows zero.
    return np.minimum(*ends), np.maximum(*ends)


def turns(row: Row, h: declared.Hyper, becomes: Sequence[float]) -> Array:
    """The extremes at which what is stored of a scale changes, where it is one of few numbers.

    becomes: the values that an extreme may get. Of powers of two those of the rule "even" alone:
    the others turn at a power of two, or at one times the largest value.
    """
    if row.scale == "e4m3":
        v = SMALL_E4M3.decode(h, np.arange(SMALL_E4M3.largest + 1)) * second_level(h)
        return np.outer(becomes, v[:-1] / 2 + v[1:] / 2).reshape(-1)
    if getattr(h, "rule", "") == "even":
        return np.ldexp(2 - 2.0 ** -(row.bits + 1), np.arange(-100, 100, 8))
    return np.zeros(0)


def around(v: Array, slack: Array) -> tuple[Array, Array]:
    """Between which float32 numbers one lies that may be so far from v; beyond them, infinities."""
    low, high = v - slack, v + slack
    most = float(np.finfo(np.float32).max)
    return np.where(low < -most, -np.inf, low), np.where(high > most, np.inf, high)


def _nonzero(h: declared.Hyper, scale: Array, epsilon: Array) -> Array:
    """The scales, with epsilon in the place of zero where the kernel puts it there."""
    epsilon = np.asarray(epsilon).astype(scale.dtype)
    return np.where((scale == 0) & (getattr(h, "zero_scale", "") == "epsilon"), epsilon, scale)


def _shared_exponent(row: Row, h: declared.Hyper, m: Array) -> Array:
    finite = np.where(np.isfinite(m) & (m > 0), m, 1.0)
    if h.rule == "rceil":
        e = exponent(finite / row.largest, "up")
    else:
        e = exponent(finite, "up" if h.rule == "ceil" else "down") - row.emax
    if h.rule == "even":
        # Half a unit of the element's last place is added to the fraction, which may carry.
        e = e + (np.frexp(finite)[0] * 2 >= 2 - 2.0 ** -(row.bits + 1))
    code = np.clip(e + BIAS, 0, NAN - 1)
    code = np.where(m == 0, 0 if h.zero_block == "least" else BIAS, code)
    beyond = NAN - (np.isinf(m) & (h.infinity == "largest"))
    return np.where(np.isfinite(m), code, beyond).astype(np.uint8)


def _quotient(h: declared.Hyper, y: Array) -> Array:
    """The quotient in float32, itself or the power of two beside it."""
    with np.errstate(over="ignore"):
        s = np.maximum(y, getattr(h, "least", -math.inf)).astype(np.float32)
    power = getattr(h, "power", "none")
    if power == "none":
        return s
    usable = np.isfinite(s) & (s > 0)
    finite = np.where(usable, s, np.float32(1)).astype(np.float64)
    e = exponent(finite, "up" if power == "ceil" else "down")
    return np.where(usable, np.ldexp(1.0, e), s).astype(np.float32)
