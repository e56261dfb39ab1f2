"""Companded 8-bit integers: numbers are bent before they are rounded, and bent back when read.

Rule
    a_g = the largest magnitude of group g, of "sqrt_8bit" its square root; not below least
    "softsign_8bit": n_i = x_i / a_g;  y_i = 2 n_i / (1 + |n_i|);  code_i = floor(127 y_i + 1/2)
        y = code_i / 127;  x~_i = y / (2 - |y|) scale_g
    "sqrt_8bit": y_i = sqrt(x_i) / a_g;  code_i = floor(255 y_i + 1/2)
        x~_i = (code_i / 255 scale_g)^2
    scale_g = a_g rounded to float16, which the codes do not see

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte, of "softsign_8bit" in two's
    complement without -128; scale: float16, one for 32 elements in C order, the last of which may
    be short.

Domain
    x holds float32 values, of "sqrt_8bit" none below zero. What is said of codes holds for a_g
    between 2^-126 and 2^126.

Choices
    rounding: 1/2 is added, in which a kernel's sum rounds too, and cut off; or the nearest integer.
    least: below which no a_g goes; in float16 nothing of 1e-12 is left.
    nan: whether a group with a nan has one for a scale, or a_g passes over it.

Special cases
    A number below zero under a root is as a nan: its group has a nan for a scale, and of its codes
    nothing is promised; or it has that of its other numbers, and of the nan's own code nothing is
    promised. A group with an infinity has an infinite scale, and so has one beyond
    65,520; its codes are due all the same where a_g is finite. Below 2^-25 the scale is 0, and the
    group is read as zeros.

Judged
    Scales exactly; codes by `admissible`, from what x says of a_g, through each rounding of a
    float32 kernel; decoded values by an interval, since the curve is worked out as they are read.

Sources
    Databricks, "FlashOptim: Optimizers for Memory-Efficient Training" (arXiv:2602.23349) and
    flashoptim 0.1.4, optimizers.py, _triton_quantize_kernel and _triton_dequantize_kernel: softsign
    for first moments, the root for second ones.
"""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.block_formats import BlockFormat
from truestep.reference.block_scales import OWN, U
from truestep.reference.declared import Real
from truestep.reference.element_tables import integers
from truestep.reference.format_rows import Row
from truestep.reference.validation import Array

BLOCK = 32


class Hyper(declared.Hyper):
    """How codes are rounded, and the least a_g; the paper's kernels fix it at 1e-12."""

    least: Annotated[float, Real(0.0, 1.0, open="high", usual=(0.0, 1e-12), listed=True)] = 0.0
    nan: Literal["propagate", "ignore"] = "propagate"
    rounding: Literal["half_up", "nearest_even"] = "half_up"


class _Companded(BlockFormat, ABC):
    """A format whose values are read off a curve, from codes that lie evenly beneath it.

    STEPS: the code of 1. A code's threshold is the ratio below / above of two whole numbers.
    """

    STEPS: ClassVar[int]
    # The largest magnitude is rounded to float16, and values are the nearest under the curve alone.
    LAWS: tuple[str, ...] = (
        "equivariant_under_concatenation", "equivariant_under_permutation",
        "groups_are_independent", "idempotent", "independent_of_layout", "monotone_in_a_group",
        "odd", "zero_stays_zero",
    )  # fmt: skip

    @abstractmethod
    def companded(self, n: Array) -> Array:
        """The height of the curve over n."""

    @abstractmethod
    def expanded(self, count: Array, scale: Array) -> Array:
        """What is read of so many steps under a scale: on the numbers of any arithmetic."""

    @abstractmethod
    def edges(self) -> tuple[Array, Array]:
        """Numerators and denominators of the ratios at which codes change, in their order."""

    @property
    @abstractmethod
    def counts(self) -> Array:
        """The numbers of steps that codes stand for, ascending."""

    def thresholds(self, h: declared.Hyper) -> Array:
        """At which ratios to a_g, of "sqrt_8bit" to its square, the code changes."""
        below, above = self.edges()
        return below / above

    def extremes(self, h: declared.Hyper, x: Array) -> Array:
        """The largest magnitude of every group, with a nan or without."""
        ignored = np.isnan(x) & (h.nan == "ignore")
        return super().extremes(h, np.where(ignored, 0.0, x))

    def smallest(self, h: declared.Hyper) -> float:
        """Below which the size of a group does not go."""
        return float(np.float32(h.least))

    def divisor(self, h: declared.Hyper, x: Array, scale: Array) -> Array:
        """By what the numbers of every group are divided: not as it is rounded to float16."""
        return np.maximum(self.extremes(h, x), self.smallest(h))

    def second_rounding(self, h: declared.Hyper) -> float:
        """What the curve adds to the one rounding of a product, as it is worked out in float32."""
        return 4 * U

    def nearest(self, h: declared.Hyper, y: Array, size: Array) -> Array:
        """The ranks of y over size, by products that are exact in float64."""
        below, above = self.edges()
        up = self.ranked[0] % 2 == 1
        even = h.rounding == "nearest_even"
        return self._count(
            lambda k: (
                (below[k] * size < above[k] * y)
                | ((below[k] * size == above[k] * y) & (up[k] | (not even)))
            ),
            y.shape,
        )

    def _nearest_of(
        self, h: declared.Hyper, y: Array, low: Array, high: Array
    ) -> tuple[Array, Array]:
        """The least and the largest rank of ratios from low to high."""
        half_up = h.rounding == "half_up"
        slack = U * (self.STEPS + 1) / 2 if half_up else 0.0
        ranks = []
        for end, error in ((low, -slack), (high, slack)):
            z = self.STEPS * self.companded(end) + error
            count = np.floor(z + 0.5) if half_up else np.rint(z)
            count = np.clip(count, self.counts.min(), self.STEPS)
            ranks.append((count - self.counts.min()).astype(np.int64))
        return ranks[0], ranks[1]

    def decode(self, h: declared.Hyper, code: Array, scale: Array) -> Array:
        """What every code is read as."""
        scale = self.per_element(h, np.asarray(scale, np.float64), code.shape)
        with np.errstate(invalid="ignore"):
            return self.expanded(self.counted(code), scale)

    def counted(self, code: Array) -> Array:
        """How many steps every code stands for; nan where it stands for none."""
        counts = np.full(256, np.nan)
        counts[self.ranked[0]] = self.counts
        return counts[code]


class Softsign(_Companded):
    """First moments: steep at zero, of either sign."""

    STEPS = 127

    @property
    def counts(self) -> Array:
        """From -127 to 127."""
        return np.arange(-127.0, 128.0)

    def companded(self, n: Array) -> Array:
        """2 n / (1 + |n|)."""
        return 2 * n / (1 + np.abs(n))

    def expanded(self, count: Array, scale: Array) -> Array:
        """y / (2 - |y|), times the scale."""
        y = count / self.STEPS
        return y / (2 - np.abs(y)) * scale

    def edges(self) -> tuple[Array, Array]:
        """k + 1/2 over 254 - |k + 1/2|."""
        half = self.counts[:-1] + 0.5
        return half, 2 * self.STEPS - np.abs(half)

    def quotient_error(self, h: declared.Hyper, size: Array, division_ulps: float) -> Array:
        """Of x / a; of the sum, the quotient and the product, which at n = 1 count twice."""
        d = 2 * division_ulps * U
        return np.full(np.shape(size), (d + 2 * (2 * U + d)) * (1 + 2.0**-20) + OWN)


class SquareRoot(_Companded):
    """Second moments: none below zero."""

    STEPS, NONNEGATIVE = 255, True
    LAWS = tuple(law for law in _Companded.LAWS if law != "odd")

    @property
    def counts(self) -> Array:
        """From 0 to 255."""
        return np.arange(256.0)

    def companded(self, n: Array) -> Array:
        """The root."""
        return np.sqrt(np.maximum(n, 0.0))

    def expanded(self, count: Array, scale: Array) -> Array:
        """(y scale)^2, as a product."""
        root = count / self.STEPS * scale
        return root * root

    def edges(self) -> tuple[Array, Array]:
        """(k + 1/2)^2 over 255^2."""
        half = self.counts[:-1] + 0.5
        return half * half, np.full(half.shape, float(self.STEPS**2))

    def smallest(self, h: declared.Hyper) -> float:
        """That of the roots, squared."""
        return super().smallest(h) ** 2

    def extremes(self, h: declared.Hyper, x: Array) -> Array:
        """The largest number of every group; nan with one below zero."""
        with np.errstate(invalid="ignore"):
            return super().extremes(h, np.where(x < 0, np.nan, x))

    def quotient_error(self, h: declared.Hyper, size: Array, division_ulps: float) -> Array:
        """Of two roots, their quotient and the product, squared."""
        d = 2 * division_ulps * U
        return np.full(np.shape(size), 2 * (3 * d + U) * (1 + 2.0**-20) + OWN)

    def value(self, h: declared.Hyper, scale: Array) -> Array:
        """By what a value is multiplied: the square of what is stored."""
        return np.asarray(scale, np.float64) ** 2

    def _rooted(self, h: declared.Hyper, m: Array, error: float = 0.0) -> Array:
        root = np.sqrt(m) * (1 + error)
        with np.errstate(over="ignore"):
            return np.maximum(root, h.least).astype(np.float32).astype(np.float16)

    def chosen(self, h: declared.Hyper, x: Array) -> Array:
        """The root of every group's largest number, as it is stored."""
        return self._rooted(h, self.extremes(h, x))

    def scales(
        self, h: declared.Hyper, x: Array, *, division_ulps: float = 0.5
    ) -> tuple[Array, Array]:
        """The least and the largest that a faithful kernel may store."""
        m, off = self.extremes(h, x), 0.0 if division_ulps <= 0.5 else 2 * division_ulps * U
        return self._rooted(h, m, -off), self._rooted(h, m, off)


# What both have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2]


def _made(kind: type[_Companded], name: str, about: str, elements: Array) -> _Companded:
    row = Row(about, tuple(elements.tolist()), "float16", Hyper, block=BLOCK)
    made = kind(name, row)
    object.__setattr__(made, "__name__", f"{__name__}.{name}")
    object.__setattr__(made, "__doc__", f"{name}: {about}.\n\n{_SHARED}")
    return made


_CODES = np.array(integers(8))
FORMATS: dict[str, Array] = {
    "softsign_8bit": _made(
        Softsign, "softsign_8bit", "8-bit integers of the softsign of x over its absmax",
        _CODES / (254 - np.abs(_CODES)),
    ),
    "sqrt_8bit": _made(
        SquareRoot, "sqrt_8bit", "8-bit integers of the square root of x over its largest",
        (np.arange(256) / 255) ** 2,
    ),
}  # fmt: skip
