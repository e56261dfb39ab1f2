"""Numbers kept in two parts: a bfloat16 that a model computes with, and a rest of 8 or 16 bits.

Rule
    "bits" and "signed_bits": J is the code of x rounded to a float of 8 exponent bits and 7 + b
    fraction bits, b the rest's bits: for b = 16 x's own float32 bits. With "bits" the bfloat16 has
    the code floor(J / 2^b) and rest = J mod 2^b; with "signed_bits" the code floor(J / 2^b + 1/2)
    and rest = J - 2^b code, from -2^(b-1) on. Both read x~ = the float of code 2^b code + rest.
    Signs are apart: J is the code of |x|.
    "fraction": the bfloat16 nearest to x is h, ties to even; with s half its spacing and
    n = 2^(b-1) - 1, rest = (x - h) / s n, rounded; x~ = h + rest / n s.

Shapes
    x: any shape; high, bfloat16 numbers in float64, and code, the rest, shaped like x; integers of
    b bits, unsigned with "bits".

Domain
    x: any float32; overflow is that of IEEE 754, to infinity.

Choices
    rest: what it is. rounding: of J, and with "fraction" of rest; a float32's J of b = 16 is exact.

Special cases
    Which code a nan has is not specified, nor the rest of an infinity with "fraction". With
    "signed_bits" the largest finite numbers have an infinite high part and a negative rest.

Judged
    With "bits" and "signed_bits" every two parts stand for a number of their own, which is judged.
    With "fraction" the high part by the interval of the number's error, and the rest, from the
    kernel's own high part, by that and the rounding of the quotient.

Sources
    D. Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019 (arXiv:1905.12322),
    section 3.3, and Intel's SplitSGD: bits. NVIDIA's Apex and Transformer Engine, param_remainders:
    signed bits. Databricks' FlashOptim and heavyball's param_ecc: fractions, to nearest and drawn.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.quantizers import bfloat16
from truestep.reference.small_float import SmallFloat
from truestep.reference.validation import Array

DIALECTS = {
    "rest": {
        "bits": "the low bits, cut off the high part",
        "fraction": "how far the number lies from its nearest bfloat16, in half spacings",
        "signed_bits": "the low bits, signed; where negative the high part is one larger",
    },
    "rounding": {
        "nearest_away": "to nearest, ties away from zero",
        "nearest_even": "to nearest, ties to even",
        "stochastic": "to either neighbour, so that the expectation is what is rounded",
        "toward_zero": "cut off",
    },
}
# What a state tensor's bfloat16 is called.
HIGH = "high"
_IEEE = bfloat16.Hyper()
# Roundings of the rest in float32: of the product with n, and of what is added before cutting off.
_ROUNDINGS = 3


class Hyper(declared.Hyper):
    """What the rest is and how it is rounded; the defaults split a float32's bits."""

    rest: Literal["bits", "fraction", "signed_bits"] = "bits"
    rounding: Literal["nearest_away", "nearest_even", "stochastic", "toward_zero"] = "nearest_even"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        if self.rounding == "stochastic" and self.rest != "fraction":
            raise ValueError(f"a rest in {self.rest} is not drawn: rounding must be another")


@dataclass(frozen=True)
class Split:
    """A bfloat16 and a rest of so many bits."""

    bits: int
    Hyper = Hyper
    DIALECTS = DIALECTS
    BLOCKS = STORES = SCALES = True
    INDEPENDENT = True
    SCALE = HIGH

    def __post_init__(self) -> None:
        object.__setattr__(self, "__name__", f"{__name__}.bfloat16_rest{self.bits}")

    @property
    def largest(self) -> int:
        """n, the largest fraction."""
        return int(2 ** (self.bits - 1) - 1)

    @property
    def wide(self) -> SmallFloat:
        """The float whose codes J are."""
        b = self.bits
        return SmallFloat(np.uint32, 7 + b, -126, (0x7F80 << b) - 1, 0x7FC0 << b)

    def code_type(self, h: declared.Hyper) -> np.dtype[Any]:
        """The integers of the rest."""
        return np.dtype(f"{'u' if h.rest == 'bits' else ''}int{self.bits}")

    def encode(
        self, h: declared.Hyper, x: Array, random: Array | None = None
    ) -> tuple[Array, Array]:
        """The rest and the high part; a drawn rest takes integers in [0, 2^16) from the caller."""
        x = np.asarray(x, np.float64)
        if h.rest == "fraction":
            high = rounded(x)
            y = self.fraction(x, high)
            return self._integer(h, y, random).astype(self.code_type(h)), high
        j = self._wide_code(h, x, random)
        code = (j + self._half(h)) >> self.bits
        rest = (j - (code << self.bits)).astype(self.code_type(h))
        return rest, with_sign(code, np.signbit(x))

    def decode(self, h: declared.Hyper, code: Array, high: Array) -> Array:
        """The numbers that both parts stand for, in float64."""
        if h.rest == "fraction":
            return np.asarray(high, np.float64) + code / self.largest * half_spacing(high)
        held = bfloat16.FORMAT.encode(_IEEE, np.asarray(high, np.float64)).astype(np.int64)
        j = ((held & 0x7FFF) << self.bits) + np.asarray(code, np.int64)
        value = self.wide.decode(_IEEE, j)
        return np.where(held & 0x8000, -value, value)

    def _half(self, h: declared.Hyper) -> int:
        return 1 << (self.bits - 1) if h.rest == "signed_bits" else 0

    def _wide_code(self, h: declared.Hyper, x: Array, random: Array | None) -> Array:
        """J of |x|."""
        wide, size = self.wide, np.abs(x)
        cut_off, code = wide.truncated(size)
        code = code + _up(h, cut_off, code, random)
        return wide.finished(_IEEE, size, code).astype(np.int64)

    def fraction(self, x: Array, high: Array) -> Array:
        """(x - h) / s n, 0 where that is no number."""
        with np.errstate(invalid="ignore"):
            y = (x - np.asarray(high, np.float64)) / half_spacing(high)
        return np.clip(np.where(np.isfinite(y), y, 0.0), -1, 1) * self.largest

    def _integer(self, h: declared.Hyper, y: Array, random: Array | None = None) -> Array:
        """y, rounded to an integer."""
        if h.rounding == "stochastic":
            low = np.floor(y)
            return low + _up(h, y - low, low, random)
        whole = np.floor(np.abs(y))
        return np.copysign(whole + _up(h, np.abs(y) - whole, whole, random), y)

    # What a faithful kernel may give.

    def values(self, h: declared.Hyper, x: Array, error: Array) -> tuple[Array, Array]:
        """Of a rest in bits, the least and the largest number that both parts may stand for."""
        ends = [self._ends(h, y) for y in (x - error, x + error)]
        return ends[0][0], ends[1][1]

    def _ends(self, h: declared.Hyper, x: Array) -> tuple[Array, Array]:
        ways = [np.full(np.shape(x), r) for r in (0, 2**16 - 1)] if _draws(h) else [None]
        made = [self.decode(h, *self.encode(h, x, random)) for random in ways]
        return np.minimum.reduce(made), np.maximum.reduce(made)

    def highs(self, h: declared.Hyper, x: Array, error: Array) -> tuple[Array, Array]:
        """Of a fraction, the least and the largest high part."""
        return rounded(x - error), rounded(x + error)

    def admissible(
        self, h: declared.Hyper, x: Array, high: Array, *, error: Array | float = 0.0
    ) -> tuple[Array, Array]:
        """Of a fraction, the least and the largest rank of the rest beside the kernel's high."""
        slack = _ROUNDINGS * 2.0**-24 * (self.largest + 1)
        low, most = (self.fraction(x + e, high) for e in (-np.asarray(error), np.asarray(error)))
        ends = (low - slack, np.floor), (most + slack, np.ceil)
        if _draws(h):
            found = [cut(y) for y, cut in ends]
        else:
            found = [self._integer(h, y) for y, _ in ends]
        least, largest = (np.clip(y, -self.largest, self.largest) for y in found)
        return self.rank(least), self.rank(largest)

    def rank(self, code: Array) -> Array:
        """The place of a rest among all."""
        return np.asarray(code, np.int64) + self.largest + 1

    def ranks(self, h: declared.Hyper) -> int:
        """How many there are."""
        return int(2**self.bits)

    def lower(self, h: declared.Hyper, x: Array, high: Array) -> Array:
        """Of a fraction, the rank of the rest not above it."""
        return self.rank(np.floor(self.fraction(x, high)))

    def probability_up(
        self,
        h: declared.Hyper,
        x: Array,
        high: Array,
        *,
        error: Array | float = 0.0,
        division_ulps: float = 0.5,
    ) -> tuple[Array, Array]:
        """How often, at least and at most, a drawn fraction is above `lower`'s."""
        low = np.floor(self.fraction(x, high))
        slack = _ROUNDINGS * 2.0**-24 * (self.largest + 1)
        least, most = (self.fraction(x + e, high) for e in (-np.asarray(error), np.asarray(error)))
        return np.clip(least - slack - low, 0, 1), np.clip(most + slack - low, 0, 1)


def _draws(h: declared.Hyper) -> bool:
    return bool(h.rounding == "stochastic")


def _up(h: declared.Hyper, part: Array, below: Array, random: Array | None) -> Array:
    """Whether what is cut off, in units of the last place, makes the number below one larger."""
    if h.rounding == "stochastic":
        if random is None:
            raise ValueError("stochastic rounding needs random integers in [0, 2^16), got None")
        return random < part * 2**16
    if h.rounding == "toward_zero":
        return np.zeros(part.shape, bool)
    away = (h.rounding == "nearest_away") | (below % 2 == 1)
    return (part > 0.5) | ((part == 0.5) & away)


def rounded(x: Array) -> Array:
    """The nearest bfloat16, ties to even."""
    return _value(bfloat16.FORMAT.encode(_IEEE, np.asarray(x, np.float64)))


def with_sign(code: Array, negative: Array) -> Array:
    """The bfloat16 of a code and a sign."""
    return _value(code | np.where(negative, 0x8000, 0))


def _value(code: Array) -> Array:
    """The bfloat16 of a code, in float64."""
    return bfloat16.FORMAT.decode(_IEEE, code)


def half_spacing(high: Array) -> Array:
    """Half the spacing of bfloat16 at a number, that of the largest at what is not finite."""
    size = np.abs(np.asarray(high, np.float64))
    finite = np.where(np.isfinite(size), size, 2.0**127)
    exponent = np.where(finite > 0, np.frexp(finite)[1] - 1, -126)
    return np.ldexp(1.0, np.maximum(exponent, -126) - 8)


SPLITS: dict[str, Any] = {f"bfloat16_rest{bits}": Split(bits) for bits in (8, 16)}
