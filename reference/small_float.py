"""Binary floating-point formats of 4 to 16 bits: the codes of numbers and the values of codes.

Rounding, with |x| / 2^(e-f) = k + c, k an integer and 0 <= c < 1, 2^(e-f) the spacing around x:

    nearest_even    k + 1 if c > 1/2, or c = 1/2 and k is odd, else k
    nearest_away    k + 1 if c >= 1/2, else k
    toward_zero     k
    up              k + 1 if c > 0 and x > 0, else k
    down            k + 1 if c > 0 and x < 0, else k
    stochastic      k + 1 with probability c, else k; so the expectation is x

What leaves the range is then treated as the overflow says; toward zero no finite number does, nor
up one below zero, nor down one above. Drawn roundings take the spacing beyond the largest value for
one more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from truestep.reference.declared import Hyper
from truestep.reference.validation import Array

Rounding = Literal["nearest_even", "nearest_away", "toward_zero", "up", "down", "stochastic"]
# To which a number's negative is rounded otherwise than itself.
DIRECTED = ("up", "down")
ROUNDINGS: Mapping[str, str] = {
    "nearest_even": "to nearest, ties to even",
    "nearest_away": "to nearest, ties away from zero",
    "toward_zero": "what lies between two values cut off",
    "up": "to the next value that is not less",
    "down": "to the next value that is not larger",
    "stochastic": "away from zero with the probability of the part cut off",
}


@dataclass(frozen=True, slots=True)
class SmallFloat:
    """A format: a sign bit, an exponent and fraction_bits of fraction, with subnormals.

    largest: the code of the largest finite value; the next one is infinity, or the only nan of a
    format without infinities: of one without -0 ("fnuz") that is the code where -0 would be. nan:
    the code that every nan gets; none in a format of numbers alone, which saturates.
    """

    dtype: type[np.unsignedinteger]
    fraction_bits: int
    min_exponent: int
    largest: int
    nan: int | None = None

    @property
    def sign(self) -> int:
        """The bit of the sign, the one above those of the largest value."""
        return 1 << self.largest.bit_length()

    def all_values(self, h: Hyper) -> Array:
        """The values of all codes in their order."""
        return self.decode(h, np.arange(2 * self.sign))

    def thresholds(self, h: Hyper) -> Array:
        """Where codes change: the midpoints between neighbouring finite values, ascending.

        The first and the last are where numbers overflow: half a spacing beyond the largest. Where
        what lies between two values is cut off or drawn, the values themselves, but for zero; all
        of them where it goes up or down.
        """
        finite = self.decode(h, np.arange(self.largest + 1))
        positive = np.append(finite, 2 * finite[-1] - finite[-2])
        values = np.concatenate([-positive[:0:-1], positive])
        if not h.rounding.startswith("nearest"):
            return values if h.rounding in DIRECTED else values[values != 0]
        return values[:-1] / 2 + values[1:] / 2

    def decode(self, h: Hyper, code: Array) -> Array:
        """The value of every code."""
        code = np.asarray(code).astype(np.int64)
        magnitude = code & (self.sign - 1)
        field = magnitude >> self.fraction_bits
        fraction = magnitude & (2**self.fraction_bits - 1)
        k = np.where(field > 0, fraction + 2**self.fraction_bits, fraction)
        exponent = np.maximum(field, 1) - 1 + self.min_exponent - self.fraction_bits
        value = np.ldexp(k.astype(np.float64), exponent)
        value = np.where(magnitude == self.largest + 1, np.inf, value)
        nan = (code == self.nan) | (magnitude == self.nan) | (magnitude > self.largest + 1)
        return np.where(nan, np.nan, np.where(code & self.sign, -value, value))

    def truncated(self, x: Array) -> tuple[Array, Array]:
        """What truncating |x| cuts off, in units of the spacing, and the code that it leaves."""
        finite = np.where(np.isfinite(x), np.abs(x), 0.0)
        exponent = np.where(finite > 0, np.frexp(finite)[1] - 1, self.min_exponent)
        exponent = np.maximum(exponent, self.min_exponent)
        scaled = np.ldexp(finite, self.fraction_bits - exponent)
        k = np.floor(scaled)
        return scaled - k, k.astype(np.int64) + (
            exponent - self.min_exponent
        ) * 2**self.fraction_bits

    def nearest(self, x: Array) -> Array:
        """The code of the value nearest to |x|, of two equally near ones the even one."""
        cut_off, code = self.truncated(x)
        return np.where((cut_off > 0.5) | ((cut_off == 0.5) & (code % 2 == 1)), code + 1, code)

    def rounded(self, h: Hyper, x: Array, random: Array | None = None) -> Array:
        """The code of |x| rounded as the dialect says, before what leaves the range is seen to."""
        if h.rounding == "nearest_even":
            return self.nearest(x)
        cut_off, code = self.truncated(x)
        if h.rounding == "toward_zero":
            return np.minimum(code, self.largest)
        if h.rounding in DIRECTED:
            away = x > 0 if h.rounding == "up" else x < 0
            return np.where(away, code + (cut_off > 0), np.minimum(code, self.largest))
        if h.rounding == "nearest_away":
            return np.where(cut_off >= 0.5, code + 1, code)
        if random is None:
            raise ValueError("stochastic rounding needs random integers in [0, 2^16), got None")
        return np.where(random < cut_off * 2**16, code + 1, code)

    def finished(self, h: Hyper, x: Array, code: Array) -> Array:
        """The magnitude's code with overflow, sign and nan attended to."""
        beyond = np.isinf(x) | (code > self.largest)
        saturates = self.nan is None or h.overflow == "saturate"
        code = np.where(beyond, self.largest if saturates else self.largest + 1, code)
        signed = np.signbit(x) & ((code != 0) | (self.nan != self.sign))
        code = code | np.where(signed, self.sign, 0)
        code = np.where(np.isnan(x), np.asarray(self.code_of_nan(h, x)), code)
        return code.astype(self.dtype)

    def code_of_nan(self, h: Hyper, x: Array) -> Array:
        """The code that a nan gets, or in a format of numbers alone what the dialect puts there."""
        if self.nan is not None:
            return self.nan
        if h.nan == "zero":
            return np.where(np.signbit(x), 0, self.sign)
        return self.largest if h.nan == "largest" else 0

    def encode(self, h: Hyper, x: Array, random: Array | None = None) -> Array:
        """The codes of x; stochastic rounding takes random integers in [0, 2^16) from the caller.

        It goes away from zero where random < 2^16 times the probability.
        """
        return self.finished(h, x, self.rounded(h, x, random))

    def _drawn(self, h: Hyper, x: Array) -> tuple[Array, Array, Array]:
        """The codes toward zero and away from it, and how often the latter is taken."""
        away, code = self.truncated(x)
        toward, beyond = (
            self.finished(h, x, c) for c in (code, np.where(away > 0, code + 1, code))
        )
        return toward, beyond, np.where(toward == beyond, 0.0, away)

    def probability_up(self, h: Hyper, x: Array) -> Array:
        """How often stochastic rounding takes the upper one of the two codes of `admissible`.

        Exact; a value of the format has 0, nan too.
        """
        _, _, away = self._drawn(h, x)
        return np.where(np.signbit(x) & (away > 0), 1 - away, away)

    def admissible(self, h: Hyper, x: Array) -> tuple[Array, Array]:
        """The lowest and the highest code a faithful kernel may give: twice that of `encode`.

        Of a drawn rounding the codes of the lower and of the upper value; any code, of a nan that
        the dialect says is undefined.
        """
        if h.rounding == "stochastic":
            toward, beyond, _ = self._drawn(h, x)
            negative = np.signbit(x)
            low: Array = np.where(negative, beyond, toward)
            high: Array = np.where(negative, toward, beyond)
        else:
            low = high = self.encode(h, x)
        if self.nan is None and h.nan == "undefined":
            low = np.where(np.isnan(x), 0, low)
            high = np.where(np.isnan(x), 2 * self.sign - 1, high)
        return low.astype(self.dtype), high.astype(self.dtype)
