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
    rounding: as the rule says, or ties away from zero, or toward zero, up or down, or drawn so that
    the expectation is x (``small_float``).
    overflow: IEEE 754 rounds to infinity everything from 65520 on, half a spacing above the largest
    value 65504 ("infinity"). A saturating conversion keeps to that value, infinities included
    ("saturate").

Special cases
    -0 keeps its sign. Subnormals (multiples of 2^-24) are kept, not flushed. nan becomes the
    quiet nan of positive sign; payload and sign of nans are not specified.

Judged
    Codes bit for bit; of nans only that they are nans. Drawn ones are one of two, and their
    frequency is judged by the exact binomial test against `probability_up`.

Sources
    IEEE Std 754-2019, sections 3.4, 4.3.1 and 7.4.
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

FORMAT = SmallFloat(np.uint16, fraction_bits=10, min_exponent=-14, largest=0x7BFF, nan=0x7E00)


class Hyper(declared.Hyper):
    """The overflow policy and the rounding; the defaults are those of IEEE 754."""

    overflow: Literal["infinity", "saturate"] = "infinity"
    rounding: Rounding = "nearest_even"


admissible, encode = FORMAT.admissible, FORMAT.encode
all_values, decode, thresholds = FORMAT.all_values, FORMAT.decode, FORMAT.thresholds
probability_up = FORMAT.probability_up
