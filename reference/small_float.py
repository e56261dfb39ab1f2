"""Binary floating-point formats of 8 and 16 bits: the codes of numbers and the values of codes."""

from dataclasses import dataclass

import numpy as np

from truestep.reference.declared import Hyper
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class SmallFloat:
    """A format: a sign bit, an exponent and fraction_bits of fraction, with subnormals.

    largest: the code of the largest finite value; the next one is infinity, or the only nan of a
    format without infinities. nan: the code that every nan gets.
    """

    dtype: type[np.unsignedinteger]
    fraction_bits: int
    min_exponent: int
    largest: int
    nan: int

    @property
    def sign(self) -> int:
        """The bit of the sign."""
        return 1 << (np.iinfo(self.dtype).bits - 1)

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
        magnitude = np.asarray(code).astype(np.int64) & (self.sign - 1)
        field = magnitude >> self.fraction_bits
        fraction = magnitude & (2**self.fraction_bits - 1)
        k = np.where(field > 0, fraction + 2**self.fraction_bits, fraction)
        exponent = np.maximum(field, 1) - 1 + self.min_exponent - self.fraction_bits
        value = np.ldexp(k.astype(np.float64), exponent)
        value = np.where(magnitude == self.largest + 1, np.inf, value)
        value = np.where(magnitude >= min(self.nan, self.largest + 2), np.nan, value)
        return np.where(np.asarray(code) & self.sign, -value, value)

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
        code = np.where(beyond, self.largest + (h.overflow != "saturate"), code)
        code = code | np.where(np.signbit(x), self.sign, 0)
        return np.where(np.isnan(x), self.nan, code).astype(self.dtype)

    def encode(self, h: Hyper, x: Array) -> Array:
        """The code of the value nearest to each x."""
        return self.finished(h, x, self.nearest(x))

    def admissible(self, h: Hyper, x: Array) -> tuple[Array, Array]:
        """The lowest and the highest code a faithful kernel may give: twice that of `encode`."""
        code = self.encode(h, x)
        return code, code
