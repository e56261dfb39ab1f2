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
    rounding: as the rule says, or ties away from zero, or toward zero, up or down, or drawn so that
    the expectation is x (``small_float``).
    overflow: OFP8 has both modes. 464 lies half a spacing above the largest value 448 and, a tie,
    rounds to it; beyond, the result is nan ("nan": ml_dtypes, PyTorch up to 2.11) or 448 with the
    sign of x ("saturate": CUDA's satfinite, PyTorch from 2.13), infinities included.

Special cases
    -0 keeps its sign. Subnormals (multiples of 2^-9) are kept, not flushed. nan becomes the
    quiet nan of positive sign; payload and sign of nans are not specified.

Judged
    Codes bit for bit; of nans only that they are nans. Drawn ones are one of two, and their
    frequency is judged by the exact binomial test against `probability_up`.

Sources
    Open Compute Project, "OCP 8-bit Floating Point Specification (OFP8)", revision 1.0, 2023,
    sections 5.2-5.3. P. Micikevicius et al., "FP8 Formats for Deep Learning" (arXiv:2209.05433).
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.small_float import ROUNDINGS, Rounding, SmallFloat

BLOCKS = False
DIALECTS = {
    "overflow": {
        "nan": "numbers that round beyond 448, and infinities, become nan",
        "saturate": "they become 448 with their sign",
    },
    "rounding": ROUNDINGS,
}

FORMAT = SmallFloat(np.uint8, fraction_bits=3, min_exponent=-6, largest=0x7E, nan=0x7F)


class Hyper(declared.Hyper):
    """The overflow policy and the rounding; the defaults: no saturation, to nearest."""

    overflow: Literal["nan", "saturate"] = "nan"
    rounding: Rounding = "nearest_even"


admissible, encode = FORMAT.admissible, FORMAT.encode
all_values, decode, thresholds = FORMAT.all_values, FORMAT.decode, FORMAT.thresholds
probability_up = FORMAT.probability_up
