"""float8_e8m0fnu: the powers of two from 2^-127 to 2^127 and one nan, the scale of OCP MX.

Rule
    |x| = m 2^k with 1 <= m < 2 becomes 2^k, or 2^(k+1)
        nearest_up    from m = 3/2 on
        nearest_even  beyond m = 3/2, and at it where k + 127 is odd
        up            beyond m = 1
        down          never
        stochastic    with the probability m - 1, so that the expectation is |x|
    The code of 2^k is k + 127; what is less than 2^-127 becomes 2^-127.

Shapes
    x: any shape; code: uint8, shaped like x; random: integers in [0, 2^16), shaped like x.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    rounding: nearest with ties up (ml_dtypes, PyTorch) or to the even code (gfloat), up (CUDA's
    cudaRoundPosInf, which cuBLAS asks for in scales) or down (cudaRoundZero), or drawn: up where
    random < 2^16 (m - 1). OCP says nothing.
    overflow: what rounds beyond 2^127, and infinities, become nan ("nan": ml_dtypes, PyTorch) or
    2^127 ("saturate": CUDA's satfinite). Rounding down only infinities overflow.
    zero: it becomes 2^-127 ("least": PyTorch, CUDA, gfloat) or nan ("nan": ml_dtypes).
    negative: there is no sign. It is dropped ("magnitude": PyTorch, CUDA), or the number becomes
    nan ("nan": ml_dtypes), or nothing is said ("undefined": gfloat).

Special cases
    There is no zero; -0 is a zero, not a negative number. nan becomes 0xFF, the one nan.

Judged
    Codes bit for bit, for the format has no two nans; an undefined negative number's not at all.
    Drawn ones are one of two, and their frequency is judged by the exact binomial test.

Sources
    Open Compute Project, "OCP Microscaling Formats (MX) Specification", revision 1.0, 2023, section
    5.4.1. NVIDIA, "CUDA Math API", `__nv_cvt_float_to_e8m0`.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.powers_of_two import BIAS, LARGEST, NAN, exponent, value
from truestep.reference.validation import Array

BLOCKS = False
SIGNED = False
DIALECTS = {
    "negative": {
        "magnitude": "the sign is dropped",
        "nan": "negative numbers become nan",
        "undefined": "negative numbers are not to be encoded",
    },
    "overflow": {
        "nan": "numbers that round beyond 2^127, and infinities, become nan",
        "saturate": "they become 2^127",
    },
    "rounding": {
        "nearest_up": "to nearest, ties to the larger",
        "nearest_even": "to nearest, ties to the even code",
        "up": "to the next power of two that is not smaller",
        "down": "to the next power of two that is not larger",
        "stochastic": "to either of these, with a probability that makes x the expectation",
    },
    "zero": {"least": "zero becomes 2^-127", "nan": "zero becomes nan"},
}


class Hyper(declared.Hyper):
    """What the format has no number for; the defaults are ml_dtypes'."""

    negative: Literal["magnitude", "nan", "undefined"] = "nan"
    overflow: Literal["nan", "saturate"] = "nan"
    rounding: Literal["nearest_up", "nearest_even", "up", "down", "stochastic"] = "nearest_up"
    zero: Literal["least", "nan"] = "nan"


def decode(h: Hyper, code: Array) -> Array:
    """The value of every code."""
    return value(code)


def all_values(h: Hyper) -> Array:
    """The values of all codes in their order."""
    return decode(h, np.arange(NAN + 1))


def thresholds(h: Hyper) -> Array:
    """Where the code changes, ascending; the last is where numbers overflow."""
    return all_values(h)[:NAN] * (1.5 if h.rounding.startswith("nearest") else 1.0)


def encode(h: Hyper, x: Array, random: Array | None = None) -> Array:
    """The code of the power of two that each x becomes.

    Stochastic rounding takes random integers in [0, 2^16), shaped like x, from the caller.
    """
    size = _size(x)
    if h.rounding != "stochastic":
        k = exponent(size, h.rounding)
    elif random is None:
        raise ValueError("stochastic rounding needs random integers in [0, 2^16), got None")
    else:
        k = exponent(size) + (random < _beyond(size) * 2**16)
    return _finished(h, x, k)


def _size(x: Array) -> Array:
    return np.where(np.isfinite(x) & (x != 0), np.abs(x), 1.0)


def _beyond(size: Array) -> Array:
    """How far a number lies beyond the power of two that is not larger, over that."""
    return 2 * np.frexp(size)[0] - 1


def _finished(h: Hyper, x: Array, k: Array) -> Array:
    """The codes of 2^k, and of what the format has no number for."""
    code = np.maximum(k + BIAS, 0)
    code = np.where((code > LARGEST) | np.isinf(x), LARGEST + (h.overflow != "saturate"), code)
    code = np.where(x == 0, 0 if h.zero == "least" else NAN, code)
    nan = np.isnan(x) | ((x < 0) & (h.negative == "nan"))
    return np.where(nan, NAN, code).astype(np.uint8)


def probability_up(h: Hyper, x: Array) -> Array:
    """How often stochastic rounding takes the upper one of the two codes of `admissible`."""
    low, high = admissible(h, x)
    return np.where(low == high, 0.0, _beyond(_size(x)))


def admissible(h: Hyper, x: Array) -> tuple[Array, Array]:
    """The lowest and the highest code a faithful kernel may give."""
    if h.rounding == "stochastic":
        size = _size(x)
        low, high = (_finished(h, x, exponent(size, rounding)) for rounding in ("down", "up"))
    else:
        low = high = encode(h, x)
    free = (x < 0) & (h.negative == "undefined")
    return np.where(free, 0, low).astype(np.uint8), np.where(free, NAN, high).astype(np.uint8)
