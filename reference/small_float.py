"""Binary floating-point formats of 4 to 16 bits: the codes of numbers and the values of codes."""

from dataclasses import dataclass

import numpy as np

from truestep.reference.declared import Hyper
from truestep.reference.validation import Array


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
        """The midpoints between neighbouring finite values, ascending, zero counted once.

        The first and the last are where numbers overflow: half a spacing beyond the largest.
        """
        finite = self.decode(h, np.arange(self.largest + 1))
        positive = np.append(finite, 2 * finite[-1] - finite[-2])
        values = np.concatenate([-positive[:0:-1], positive])
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

    def encode(self, h: Hyper, x: Array) -> Array:
        """The code of the value nearest to each x."""
        return self.finished(h, x, self.nearest(x))

    def admissible(self, h: Hyper, x: Array) -> tuple[Array, Array]:
        """The lowest and the highest code a faithful kernel may give: twice that of `encode`.

        Any code, of a nan that the dialect says is undefined.
        """
        code = self.encode(h, x)
        if self.nan is not None or h.nan != "undefined":
            return code, code
        high = np.where(np.isnan(x), 2 * self.sign - 1, code)
        return code, high.astype(self.dtype)
