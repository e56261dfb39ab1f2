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
    rounding: as the rule says, or ties away from zero, or toward zero, up or down, or drawn so that
    the expectation is x (``small_float``).
    overflow: OFP8 has both modes. Without saturation everything from 61440 on, half a spacing above
    the largest value 57344, becomes infinite ("infinity": PyTorch, ml_dtypes). With it, infinities
    included, it becomes the largest value ("saturate": CUDA's satfinite).

Special cases
    -0 keeps its sign. Subnormals (multiples of 2^-16) are kept, not flushed. nan becomes the
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
        "infinity": "numbers that round beyond the largest finite value become infinite",
        "saturate": "they, and infinities, become the largest finite value",
    },
    "rounding": ROUNDINGS,
}

FORMAT = SmallFloat(np.uint8, fraction_bits=2, min_exponent=-14, largest=0x7B, nan=0x7E)


class Hyper(declared.Hyper):
    """The overflow policy and the rounding; the defaults: no saturation, to nearest."""

    overflow: Literal["infinity", "saturate"] = "infinity"
    rounding: Rounding = "nearest_even"


admissible, encode = FORMAT.admissible, FORMAT.encode
all_values, decode, thresholds = FORMAT.all_values, FORMAT.decode, FORMAT.thresholds
probability_up = FORMAT.probability_up
