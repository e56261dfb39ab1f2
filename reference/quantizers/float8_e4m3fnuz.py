"""float8_e4m3fnuz: the precise 8-bit float with one nan, no infinity and no -0.

Rule
    y = the float8_e4m3fnuz value nearest to x; of two equally near ones the one with the even code.
    With e = max(floor(log2 |x|), -7) the spacing around x is 2^(e-3), and the code's magnitude is
    k + 2^3 (e - (-7)) for the integer k nearest to |x| / 2^(e-3); the sign is bit 7.

Shapes
    x: any shape; code: uint8, shaped like x.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    rounding: as the rule says, or ties away from zero, or toward zero, up or down, or drawn so that
    the expectation is x (``small_float``).
    overflow: 248 lies half a spacing above the largest value 240; a tie, it overflows.
    What overflows becomes nan ("nan": ml_dtypes, PyTorch) or the largest value with its sign
    ("saturate"), infinities included.

Special cases
    There is no -0: zeros of either sign, and what rounds to zero, have code 0. Subnormals
    (multiples of 2^-10) are kept, not flushed. There is one nan, 0x80, and no infinity.

Judged
    Codes bit for bit. Drawn ones are one of two, and their
    frequency is judged by the exact binomial test against `probability_up`.

Sources
    B. Noune, P. Jones, D. Justus, D. Masters, C. Luschi, "8-bit Numerical Formats for Deep Neural
    Networks" (arXiv:2206.02915), section 2.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.small_float import ROUNDINGS, Rounding, SmallFloat

BLOCKS = False
DIALECTS = {
    "overflow": {
        "nan": "numbers that round beyond 240, and infinities, become nan",
        "saturate": "they become 240 with their sign",
    },
    "rounding": ROUNDINGS,
}

FORMAT = SmallFloat(np.uint8, fraction_bits=3, min_exponent=-7, largest=0x7F, nan=0x80)


class Hyper(declared.Hyper):
    """The overflow policy and the rounding; the defaults are the libraries'."""

    overflow: Literal["nan", "saturate"] = "nan"
    rounding: Rounding = "nearest_even"


admissible, encode = FORMAT.admissible, FORMAT.encode
all_values, decode, thresholds = FORMAT.all_values, FORMAT.decode, FORMAT.thresholds
probability_up = FORMAT.probability_up
