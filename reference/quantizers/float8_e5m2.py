"""float8_e5m2: the wide 8-bit float of OCP OFP8, binary16 cut to 2 fraction bits.

Rule
    y = the float8_e5m2 value nearest to x; of two equally near ones the one with the even code.
    With e = max(floor(log2 |x|), -14) the spacing around x is 2^(e-2), and the code's magnitude is
    k + 2^2 (e - (-14)) for the integer k nearest to |x| / 2^(e-2); the sign is bit 7.

Shapes
    x: any shape; code: uint8, shaped like x.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    overflow: OFP8 has both modes. Without saturation everything from 61440 on, half a spacing above
    the largest value 57344, becomes infinite ("infinity": PyTorch, ml_dtypes). With it, infinities
    included, it becomes the largest value ("saturate": CUDA's satfinite).

Special cases
    -0 keeps its sign. Subnormals (multiples of 2^-16) are kept, not flushed. nan becomes the
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
        "infinity": "numbers that round beyond the largest finite value become infinite",
        "saturate": "they, and infinities, become the largest finite value",
    },
}

SIGNIFICAND_BITS, MIN_EXPONENT, BIAS = 2, -14, 15
LARGEST_CODE, INFINITY, NAN = 0x7B, 0x7C, 0x7E


@dataclass(frozen=True, slots=True)
class Hyper(declared.Hyper):
    """The overflow policy; the default is the non-saturating mode."""

    overflow: Literal["infinity", "saturate"] = "infinity"


def all_values(h: Hyper) -> Array:
    """The 256 values in the order of their codes."""
    return _decode(np.arange(256))


def thresholds(h: Hyper) -> Array:
    """The midpoints between neighbouring finite values, ascending, zero counted once."""
    positive = _decode(np.arange(LARGEST_CODE + 1))
    values = np.concatenate([-positive[:0:-1], positive])
    return values[:-1] / 2 + values[1:] / 2


def encode(h: Hyper, x: Array) -> Array:
    """The code of the float8_e5m2 value nearest to each x."""
    sign = np.where(np.signbit(x), 0x80, 0)
    finite = np.where(np.isfinite(x), np.abs(x), 0.0)
    exponent = np.where(finite > 0, np.frexp(finite)[1] - 1, MIN_EXPONENT)
    exponent = np.maximum(exponent, MIN_EXPONENT)
    k = np.rint(np.ldexp(finite, SIGNIFICAND_BITS - exponent)).astype(np.int64)
    code = k + (exponent - MIN_EXPONENT) * 2**SIGNIFICAND_BITS
    beyond = np.isinf(x) | (code > LARGEST_CODE)
    code = np.where(beyond, INFINITY if h.overflow == "infinity" else LARGEST_CODE, code) | sign
    return np.where(np.isnan(x), NAN, code).astype(np.uint8)


def decode(h: Hyper, code: Array) -> Array:
    """The value of every code."""
    return _decode(code)


def _decode(code: Array) -> Array:
    magnitude = np.asarray(code).astype(np.int64) & 0x7F
    field, fraction = magnitude >> SIGNIFICAND_BITS, magnitude & (2**SIGNIFICAND_BITS - 1)
    k = np.where(field > 0, fraction + 2**SIGNIFICAND_BITS, fraction)
    value = np.ldexp(k.astype(np.float64), np.maximum(field, 1) - BIAS - SIGNIFICAND_BITS)
    value = np.where(magnitude == INFINITY, np.inf, value)
    value = np.where(magnitude > INFINITY, np.nan, value)
    return np.where(np.asarray(code) & 0x80, -value, value)


def admissible(h: Hyper, x: Array) -> tuple[Array, Array]:
    """The lowest and the highest code a faithful kernel may give: the one of `encode`, twice."""
    code = encode(h, x)
    return code, code
