"""float8_e4m3: an 8-bit float with 3 fraction bits by the rules of IEEE 754, with infinities.

Rule
    y = the float8_e4m3 value nearest to x; of two equally near ones the one with the even code.
    With e = max(floor(log2 |x|), -6) the spacing around x is 2^(e-3), and the code's magnitude is
    k + 2^3 (e - (-6)) for the integer k nearest to |x| / 2^(e-3); the sign is bit 7.

Shapes
    x: any shape; code: uint8, shaped like x.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    rounding: as the rule says, or ties away from zero, or toward zero, up or down, or drawn so that
    the expectation is x (``small_float``).
    overflow: to infinity from 248 on, half a spacing above the largest value 240, as IEEE 754
    does ("infinity": ml_dtypes), or to the largest value, infinities included ("saturate").

Special cases
    -0 keeps its sign. Subnormals (multiples of 2^-9) are kept, not flushed. nan becomes the
    quiet nan of positive sign; payload and sign of nans are not specified.

Judged
    Codes bit for bit; of nans only that they are nans. Drawn ones are one of two, and their
    frequency is judged by the exact binomial test against `probability_up`.

Sources
    IEEE Std 754-2019, sections 3.4, 4.3.1 and 7.4, whose rules it follows at a width of 8 bits.
    ml_dtypes, README, "Specifications of implemented floating point formats".
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

FORMAT = SmallFloat(np.uint8, fraction_bits=3, min_exponent=-6, largest=0x77, nan=0x7C)


class Hyper(declared.Hyper):
    """The overflow policy and the rounding; the defaults are those of IEEE 754."""

    overflow: Literal["infinity", "saturate"] = "infinity"
    rounding: Rounding = "nearest_even"


admissible, encode = FORMAT.admissible, FORMAT.encode
all_values, decode, thresholds = FORMAT.all_values, FORMAT.decode, FORMAT.thresholds
probability_up = FORMAT.probability_up
