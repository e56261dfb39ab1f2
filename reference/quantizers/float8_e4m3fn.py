"""float8_e4m3fn: the precise 8-bit float of OCP OFP8, with one nan and no infinity.

Rule
    y = the float8_e4m3fn value nearest to x; of two equally near ones the one with the even code.
    With e = max(floor(log2 |x|), -6) the spacing around x is 2^(e-3), and the code's magnitude is
    k + 2^3 (e - (-6)) for the integer k nearest to |x| / 2^(e-3); the sign is bit 7.

Shapes
    x: any shape; code: uint8, shaped like x.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    overflow: OFP8 has both modes. 464 lies half a spacing above the largest value 448 and, a tie,
    rounds to it; beyond, the result is nan ("nan": ml_dtypes, PyTorch up to 2.11) or 448 with the
    sign of x ("saturate": CUDA's satfinite, PyTorch from 2.13), infinities included.

Special cases
    -0 keeps its sign. Subnormals (multiples of 2^-9) are kept, not flushed. nan becomes the
    quiet nan of positive sign; payload and sign of nans are not specified.

Judged
    Codes bit for bit; of nans only that they are nans.

Sources
    Open Compute Project, "OCP 8-bit Floating Point Specification (OFP8)", revision 1.0, 2023,
    sections 5.2-5.3. P. Micikevicius et al., "FP8 Formats for Deep Learning" (arXiv:2209.05433).
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
        "nan": "numbers that round beyond 448, and infinities, become nan",
        "saturate": "they become 448 with their sign",
    },
}

SIGNIFICAND_BITS, MIN_EXPONENT, BIAS = 3, -6, 7
LARGEST_CODE, NAN = 0x7E, 0x7F


@dataclass(frozen=True, slots=True)
class Hyper(declared.Hyper):
    """The overflow policy; the default is the non-saturating mode."""

    overflow: Literal["nan", "saturate"] = "nan"


def all_values(h: Hyper) -> Array:
    """The 256 values in the order of their codes."""
    return _decode(np.arange(256))


def thresholds(h: Hyper) -> Array:
    """The midpoints between neighbouring finite values, ascending, zero counted once."""
    positive = _decode(np.arange(LARGEST_CODE + 1))
    values = np.concatenate([-positive[:0:-1], positive])
    return values[:-1] / 2 + values[1:] / 2


def encode(h: Hyper, x: Array) -> Array:
    """The code of the float8_e4m3fn value nearest to each x."""
    sign = np.where(np.signbit(x), 0x80, 0)
    finite = np.where(np.isfinite(x), np.abs(x), 0.0)
    exponent = np.where(finite > 0, np.frexp(finite)[1] - 1, MIN_EXPONENT)
    exponent = np.maximum(exponent, MIN_EXPONENT)
    k = np.rint(np.ldexp(finite, SIGNIFICAND_BITS - exponent)).astype(np.int64)
    code = k + (exponent - MIN_EXPONENT) * 2**SIGNIFICAND_BITS
    beyond = np.isinf(x) | (code > LARGEST_CODE)
    code = np.where(beyond, NAN if h.overflow == "nan" else LARGEST_CODE, code) | sign
    return np.where(np.isnan(x), NAN, code).astype(np.uint8)


def decode(h: Hyper, code: Array) -> Array:
    """The value of every code."""
    return _decode(code)


def _decode(code: Array) -> Array:
    magnitude = np.asarray(code).astype(np.int64) & 0x7F
    field, fraction = magnitude >> SIGNIFICAND_BITS, magnitude & (2**SIGNIFICAND_BITS - 1)
    k = np.where(field > 0, fraction + 2**SIGNIFICAND_BITS, fraction)
    value = np.ldexp(k.astype(np.float64), np.maximum(field, 1) - BIAS - SIGNIFICAND_BITS)
    value = np.where(magnitude == NAN, np.nan, value)
    return np.where(np.asarray(code) & 0x80, -value, value)


def admissible(h: Hyper, x: Array) -> tuple[Array, Array]:
    """The lowest and the highest code a faithful kernel may give: the one of `encode`, twice."""
    code = encode(h, x)
    return code, code
