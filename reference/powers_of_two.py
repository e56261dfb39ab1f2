"""Powers of two as scales: their codes in eight bits (E8M0), and which one a number becomes."""

import numpy as np

from truestep.reference.validation import Array

# The code of 2^k is k + BIAS.
BIAS, LARGEST, NAN = 127, 254, 255


def value(code: Array) -> Array:
    """2^(code - 127), and nan for 255."""
    k = np.asarray(code).astype(np.int64)
    return np.where(k == NAN, np.nan, np.ldexp(1.0, k - BIAS))


def exponent(x: Array, rounding: str = "down") -> Array:
    """k of the power of two that a positive finite x becomes, exactly."""
    half, above = np.frexp(x)
    k = above.astype(np.int64) - 1
    if rounding == "nearest_up":
        return k + (half >= 0.75)
    if rounding == "nearest_even":
        return k + ((half > 0.75) | ((half == 0.75) & ((k + BIAS) % 2 == 1)))
    return k + (half > 0.5) if rounding == "up" else k
