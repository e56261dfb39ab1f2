"""bfloat16: float32 cut to 7 fraction bits, rounded to nearest, toward zero or stochastically.

Rule
    With e = max(floor(log2 |x|), -126) the spacing around x is 2^(e-7); of a magnitude k 2^(e-7),
    k an integer, the code is k + 2^7 (e + 126), the sign its bit 15.
    nearest_even: k is the integer nearest to |x| / 2^(e-7), of two equally near ones the even one.
    toward_zero: k = floor(|x| / 2^(e-7)).
    stochastic: k = floor(|x| / 2^(e-7)) + 1 with the probability |x| / 2^(e-7) - floor(...), else
    floor(...); so the expectation is x.

Shapes
    x: any shape; code: uint16, shaped like x; random: integers in [0, 2^16), shaped like x.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    rounding: IEEE 754's default, or truncation of a float32's lower half, or stochastic. The latter
    goes away from zero where random < 2^16 times the probability, which a float32 x makes an
    integer (the rule of torchao: add the random bits, then truncate).
    overflow: to infinity from half a spacing above the largest value on, as IEEE 754 does
    ("infinity"), or to the largest value, infinities included ("saturate"). Toward zero no finite
    number overflows. Stochastic rounding treats 2^128 as the value that follows the largest one.

Special cases
    -0 keeps its sign. Subnormals (multiples of 2^-133) are kept, not flushed. nan becomes the quiet
    nan of positive sign; payload and sign of nans are not specified.

Judged
    Codes bit for bit; of nans only that they are nans. Stochastic codes by the admissible pair
    element by element, and their frequency by the exact binomial test against `probability_up`.

Sources
    IEEE Std 754-2019, sections 4.3.1 and 7.4. Google, "BFloat16: The secret to high performance on
    Cloud TPUs", 2019. S. Gupta, A. Agrawal, K. Gopalakrishnan, P. Narayanan, "Deep Learning with
    Limited Numerical Precision", ICML 2015 (arXiv:1502.02551), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.validation import Array

BLOCKS = False
DIALECTS = {
    "overflow": {
        "infinity": "numbers that round beyond the largest finite value become infinite",
        "saturate": "they, and infinities, become the largest finite value",
    },
    "rounding": {
        "nearest_even": "to nearest, ties to even",
        "toward_zero": "the lower bits cut off",
        "stochastic": "away from zero with the probability of the part cut off",
    },
}

SIGNIFICAND_BITS, MIN_EXPONENT, BIAS = 7, -126, 127
LARGEST_CODE, INFINITY, NAN = 0x7F7F, 0x7F80, 0x7FC0


@dataclass(frozen=True, slots=True)
class Hyper(declared.Hyper):
    """The overflow policy and the rounding; the defaults are those of IEEE 754."""

    overflow: Literal["infinity", "saturate"] = "infinity"
    rounding: Literal["nearest_even", "toward_zero", "stochastic"] = "nearest_even"


def all_values(h: Hyper) -> Array:
    """The 65536 values in the order of their codes."""
    return _decode(np.arange(65536))


def thresholds(h: Hyper) -> Array:
    """The midpoints between neighbouring finite values, ascending, zero counted once."""
    positive = _decode(np.arange(LARGEST_CODE + 1))
    values = np.concatenate([-positive[:0:-1], positive])
    return values[:-1] / 2 + values[1:] / 2


def encode(h: Hyper, x: Array, random: Array | None = None) -> Array:
    """The codes of x; stochastic rounding takes random integers in [0, 2^16) from the caller."""
    cut_off, code = _toward_zero(x)
    if h.rounding == "nearest_even":
        code = np.where((cut_off > 0.5) | ((cut_off == 0.5) & (code % 2 == 1)), code + 1, code)
    elif h.rounding == "stochastic":
        if random is None:
            raise ValueError("stochastic rounding needs random integers in [0, 2^16), got None")
        code = np.where(random < cut_off * 2**16, code + 1, code)
    return _finish(h, x, code)


def _toward_zero(x: Array) -> tuple[Array, Array]:
    """What truncating |x| cuts off, in units of the spacing, and the code that it leaves."""
    finite = np.where(np.isfinite(x), np.abs(x), 0.0)
    exponent = np.where(finite > 0, np.frexp(finite)[1] - 1, MIN_EXPONENT)
    exponent = np.maximum(exponent, MIN_EXPONENT)
    scaled = np.ldexp(finite, SIGNIFICAND_BITS - exponent)
    k = np.floor(scaled)
    return scaled - k, k.astype(np.int64) + (exponent - MIN_EXPONENT) * 2**SIGNIFICAND_BITS


def _finish(h: Hyper, x: Array, code: Array) -> Array:
    """The magnitude's code with overflow, sign and nan attended to."""
    if h.rounding == "toward_zero":
        code = np.minimum(code, LARGEST_CODE)
    beyond = np.isinf(x) | (code > LARGEST_CODE)
    code = np.where(beyond, INFINITY if h.overflow == "infinity" else LARGEST_CODE, code)
    return np.where(np.isnan(x), NAN, code | np.where(np.signbit(x), 0x8000, 0)).astype(np.uint16)


def probability_up(x: Array) -> Array:
    """How often stochastic rounding takes the upper one of the two codes of `admissible`.

    Exact: a multiple of 2^-16 for a float32 x. An x that is a bfloat16 value has 0, nan too.
    """
    away, _ = _toward_zero(x)
    return np.where(np.signbit(x) & (away > 0), 1 - away, away)


def decode(h: Hyper, code: Array) -> Array:
    """The value of every code."""
    return _decode(code)


def _decode(code: Array) -> Array:
    magnitude = np.asarray(code).astype(np.int64) & 0x7FFF
    field, fraction = magnitude >> SIGNIFICAND_BITS, magnitude & (2**SIGNIFICAND_BITS - 1)
    k = np.where(field > 0, fraction + 2**SIGNIFICAND_BITS, fraction)
    value = np.ldexp(k.astype(np.float64), np.maximum(field, 1) - BIAS - SIGNIFICAND_BITS)
    value = np.where(magnitude == INFINITY, np.inf, value)
    value = np.where(magnitude > INFINITY, np.nan, value)
    return np.where(np.asarray(code) & 0x8000, -value, value)


def admissible(h: Hyper, x: Array) -> tuple[Array, Array]:
    """The codes of the lowest and of the highest value a faithful kernel may give each element."""
    if h.rounding != "stochastic":
        code = encode(h, x)
        return code, code
    away, code = _toward_zero(x)
    toward, beyond = _finish(h, x, code), _finish(h, x, np.where(away > 0, code + 1, code))
    negative = np.signbit(x)
    return np.where(negative, beyond, toward), np.where(negative, toward, beyond)
