"""float16: IEEE 754 binary16 as a storage format.

Rule
    y = the float16 value nearest to x; of two equally near ones the one with the even code.
    With e = max(floor(log2 |x|), -14) the spacing around x is 2^(e-10), and the code's magnitude is
    k + 2^10 (e - (-14)) for the integer k nearest to |x| / 2^(e-10); the sign is bit 15.

Shapes
    x: any shape; code: uint16, shaped like x.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    overflow: IEEE 754 rounds to infinity everything from 65520 on, half a spacing above the largest
    value 65504 ("infinity"). A saturating conversion keeps to that value, infinities included
    ("saturate").

Special cases
    -0 keeps its sign. Subnormals (multiples of 2^-24) are kept, not flushed. nan becomes the
    quiet nan of positive sign; payload and sign of nans are not specified.

Judged
    Codes bit for bit; of nans only that they are nans.

Sources
    IEEE Std 754-2019, sections 3.4, 4.3.1 and 7.4.
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
}

SIGNIFICAND_BITS, MIN_EXPONENT, BIAS = 10, -14, 15
LARGEST_CODE, INFINITY, NAN = 0x7BFF, 0x7C00, 0x7E00


@dataclass(frozen=True, slots=True)
class Hyper(declared.Hyper):
    """The overflow policy; the default is that of IEEE 754."""

    overflow: Literal["infinity", "saturate"] = "infinity"


def all_values(h: Hyper) -> Array:
    """The 65536 values in the order of their codes."""
    return _decode(np.arange(65536))


def thresholds(h: Hyper) -> Array:
    """The midpoints between neighbouring finite values, ascending, zero counted once."""
    positive = _decode(np.arange(LARGEST_CODE + 1))
    values = np.concatenate([-positive[:0:-1], positive])
    return values[:-1] / 2 + values[1:] / 2


def encode(h: Hyper, x: Array) -> Array:
    """The code of the float16 value nearest to each x."""
    sign = np.where(np.signbit(x), 0x8000, 0)
    finite = np.where(np.isfinite(x), np.abs(x), 0.0)
    exponent = np.where(finite > 0, np.frexp(finite)[1] - 1, MIN_EXPONENT)
    exponent = np.maximum(exponent, MIN_EXPONENT)
    k = np.rint(np.ldexp(finite, SIGNIFICAND_BITS - exponent)).astype(np.int64)
    code = k + (exponent - MIN_EXPONENT) * 2**SIGNIFICAND_BITS
    beyond = np.isinf(x) | (code > LARGEST_CODE)
    code = np.where(beyond, INFINITY if h.overflow == "infinity" else LARGEST_CODE, code) | sign
    return np.where(np.isnan(x), NAN, code).astype(np.uint16)


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
    """The lowest and the highest code a faithful kernel may give: the one of `encode`, twice."""
    code = encode(h, x)
    return code, code
