"""bfloat16: float32 cut to 7 fraction bits, rounded to nearest, toward zero or stochastically.

Rule
    With e = max(floor(log2 |x|), -126) the spacing around x is 2^(e-7); of a magnitude k 2^(e-7),
    k an integer, the code is k + 2^7 (e + 126), the sign its bit 15.
    nearest_even: k is the integer nearest to |x| / 2^(e-7), of two equally near ones the even one.
    nearest_away: of two equally near ones the larger in magnitude.
    toward_zero: k = floor(|x| / 2^(e-7)).
    up: of numbers above zero k = ceil(|x| / 2^(e-7)), of those below as toward_zero; down: of those
    below zero.
    stochastic: k = floor(|x| / 2^(e-7)) + 1 with the probability |x| / 2^(e-7) - floor(...), else
    floor(...); so the expectation is x.

Shapes
    x: any shape; code: uint16, shaped like x; random: integers in [0, 2^16), shaped like x.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    rounding: one of IEEE 754's five, toward zero the lower half cut off a float32, or stochastic.
    The latter goes away from zero where random < 2^16 times the probability, which a float32 x
    makes an integer (the rule of torchao: add the random bits, then truncate).
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

FORMAT = SmallFloat(np.uint16, fraction_bits=7, min_exponent=-126, largest=0x7F7F, nan=0x7FC0)


class Hyper(declared.Hyper):
    """The overflow policy and the rounding; the defaults are those of IEEE 754."""

    overflow: Literal["infinity", "saturate"] = "infinity"
    rounding: Rounding = "nearest_even"


admissible, encode = FORMAT.admissible, FORMAT.encode
all_values, decode, thresholds = FORMAT.all_values, FORMAT.decode, FORMAT.thresholds
probability_up = FORMAT.probability_up
