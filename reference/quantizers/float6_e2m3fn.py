"""float6_e2m3fn: the precise 6-bit float of OCP MX, numbers alone.

Rule
    y = the float6_e2m3fn value nearest to x; of two equally near ones the one with the even code.
    With e = max(floor(log2 |x|), 0) the spacing around x is 2^(e-3), and the code's magnitude is
    k + 2^3 (e - (0)) for the integer k nearest to |x| / 2^(e-3); the sign is bit 5.

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte in the low 6 bits.

Domain
    x: any float64 number, in particular any float32; the result is rounded once.

Choices
    rounding: as the rule says, or ties away from zero, or toward zero, up or down, or drawn so that
    the expectation is x (``small_float``).
    nan: OCP leaves it open. A zero of the sign that the nan has not ("zero": ml_dtypes, whose
    stand-in for nan is -0, negated with it), or 7.5 whatever the sign ("largest": CUDA's
    satfinite, the only mode it has), or nothing ("undefined": libraries that take no nan).

Special cases
    There is neither nan nor infinity: numbers that round beyond 7.5, and infinities, become 7.5
    with their sign. -0 keeps its sign. Subnormals (multiples of 2^-3) are kept, not flushed.

Judged
    Codes bit for bit; an undefined nan's not at all. Drawn ones are one of two, and their
    frequency is judged by the exact binomial test against `probability_up`.

Sources
    Open Compute Project, "OCP Microscaling Formats (MX) Specification", revision 1.0, 2023,
    section 5.3. NVIDIA, "Parallel Thread Execution ISA", version 9, section on cvt.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.small_float import ROUNDINGS, Rounding, SmallFloat

BLOCKS = False
DIALECTS = {
    "nan": {
        "zero": "a nan becomes -0, one of negative sign 0",
        "largest": "a nan becomes 7.5",
        "undefined": "nans are not to be encoded",
    },
    "rounding": ROUNDINGS,
}

FORMAT = SmallFloat(np.uint8, fraction_bits=3, min_exponent=0, largest=0x1F)


class Hyper(declared.Hyper):
    """What a nan becomes, and the rounding; the defaults are ml_dtypes'."""

    nan: Literal["zero", "largest", "undefined"] = "zero"
    rounding: Rounding = "nearest_even"


admissible, encode = FORMAT.admissible, FORMAT.encode
all_values, decode, thresholds = FORMAT.all_values, FORMAT.decode, FORMAT.thresholds
probability_up = FORMAT.probability_up
