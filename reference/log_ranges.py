"""Second moments in logarithms, whose least and largest of every group are both kept.

Rule
    y_i = x_i, not below 1e-38 and not above float32's largest;  l_i = log y_i, at most 88.6875
    low_g = min l_i rounded down to float16, high_g = max l_i rounded up, if min l_i < max l_i;
        else both l_i to nearest
    s_g = (high_g - low_g) / (2^bits - 1)
    code_i = floor((l_i - low_g) / s_g + 1/2), within the codes
    x~_i = exp(low_g + code_i s_g)

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte; low and high: float16, one of each
    per block of x in C order, the last of which may be short.

Domain
    x holds float32 values; those below zero count as zeros, which no code is.

Choices
    none: stochastic rounding, by pairs of random numbers that add up to 1, is left out.

Special cases
    A group with a nan has nan for both ends, and of its codes nothing is promised; nor of those of
    a group with low = high, all of which are read alike. An infinity is as the largest number.

Judged
    Ends by the interval of what logarithms two units in the last place off may become; codes from
    the kernel's own ends; decoded values by an interval, since the exponential, two units off at
    most, makes much of how its argument is rounded.

Sources
    D. Kogan, turboadam 0.2.0 (PyPI), quantize.py, quantize_logscale and dequantize_logscale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from truestep.reference import declared
from truestep.reference.around import Around
from truestep.reference.block_formats import BlockFormat
from truestep.reference.block_scales import OWN, U, around
from truestep.reference.declared import Count
from truestep.reference.format_rows import Row
from truestep.reference.stored_arrays import Stored
from truestep.reference.validation import Array

LEAST = float(np.float32(1e-38))
MOST = float(np.finfo(np.float32).max)
# The largest float16 whose exponential is a float32 number.
TOP = 88.6875
# Two units in the last place, of a logarithm or an exponential.
_OFF = 4 * U
_FLOAT16 = np.dtype(np.float16)


class Hyper(declared.Hyper):
    """How long a group is."""

    block_size: Annotated[int, Count(1, (128, 64, 32, 256))] = 128


@dataclass(frozen=True)
class LogRange(Around):
    """A format: what cuts the blocks."""

    cut: BlockFormat
    EXACT = STORES = SCALES = False
    NONNEGATIVE = True
    SCALE = "high"
    DIALECTS: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    # A factor of two is no number of steps, and ends are rounded outwards by parts of one.
    LAWS: ClassVar[tuple[str, ...]] = (
        "equivariant_under_concatenation", "equivariant_under_permutation",
        "groups_are_independent", "independent_of_layout", "monotone_in_a_group",
    )  # fmt: skip

    def __post_init__(self) -> None:
        self.named(self.cut.name, self.cut.row.about, _SHARED)

    @property
    def top(self) -> int:
        """The largest code."""
        return len(self.cut.row.elements) - 1

    def beside(self, h: declared.Hyper, shape: tuple[int, ...]) -> Mapping[str, Stored]:
        """What is stored beside the codes of a tensor of this shape."""
        of = (self.cut.groups(h, shape),)
        return {"low": Stored(_FLOAT16, of), "high": Stored(_FLOAT16, of)}

    def second_rounding(self, h: declared.Hyper) -> float:
        """Not nothing: values are worked out in five operations."""
        return U

    def units(self, h: declared.Hyper, x: Array) -> Array:
        """Groups of numbers so many steps of s = 1/16 above low = -10, whose ends are inside.

        What is beside a multiple of 1/2 is put 2^-11 off it, which logarithms in float32 tell.
        """
        room, inside = self.cut.length(h) - 2, 2.0**-10
        near = np.rint(2 * x) / 2
        x = near + 2.0**-11 * np.sign(x - near)
        rows = np.zeros((-(-x.size // room), room))
        rows.reshape(-1)[: x.size] = x
        made = np.pad(rows / 16, [(0, 0), (1, 1)], constant_values=inside)
        made[:, -1] = self.top / 16 - inside
        return np.exp(np.clip(made, inside, self.top / 16 - inside) - 10)

    def logarithms(self, x: Array) -> Array:
        """Those of x within its limits; of a nan a nan."""
        limited = np.clip(np.asarray(x, np.float64), LEAST, MOST)
        return np.minimum(np.log(limited), TOP)

    def ends(self, h: declared.Hyper, x: Array) -> tuple[Array, Array]:
        """The least and the largest logarithm of every group."""
        low = np.full(self.cut.groups(h, x.shape), np.inf)
        high, group = -low, self.cut.group_of(h, x.shape).reshape(-1)
        logs = self.logarithms(x).reshape(-1)
        with np.errstate(invalid="ignore"):
            np.minimum.at(low, group, logs)
            np.maximum.at(high, group, logs)
        return low, high

    def intervals(
        self, h: declared.Hyper, x: Array, low: Array, high: Array, *, division_ulps: float
    ) -> Mapping[str, tuple[Array, Array]]:
        """Of each end the least and the largest due."""
        found = self.ends(h, x)
        off = [_OFF * np.abs(end) for end in found]
        # Whether the ends differ is told from their rounded logarithms, but of one number.
        apart = found[1] - found[0] > off[0] + off[1]
        alike = found[1] == found[0]
        due = {}
        for name, end, e, up in (
            ("low", found[0], off[0], False),
            ("high", found[1], off[1], True),
        ):
            outward = [_outward(np.minimum(end + s * e, TOP), up=up) for s in (-1, 1)]
            nearest = [np.minimum(end + s * e, TOP).astype(np.float16) for s in (-1, 1)]
            least, most = (
                np.where(apart, o, np.where(alike, n, pick(o, n)))
                for o, n, pick in zip(outward, nearest, (np.minimum, np.maximum), strict=True)
            )
            due[name] = least, np.minimum(most, TOP)
        return due

    def encode(self, h: declared.Hyper, x: Array) -> tuple[Array, Array, Array]:
        """The codes of x, and both ends of every group."""
        low, high = self.ends(h, x)
        apart = high > low
        kept = [
            np.where(apart, _outward(end, up=up), end.astype(np.float16)).astype(np.float16)
            for end, up in ((low, False), (high, True))
        ]
        q, _, known = self._steps(h, x, *kept)
        code = np.clip(np.floor(q + 0.5), 0, self.top)
        return np.where(known, code, 0).astype(np.uint8), kept[0], kept[1]

    def _steps(
        self, h: declared.Hyper, x: Array, low: Array, high: Array
    ) -> tuple[Array, Array, Array]:
        """How many steps numbers are above their end, a step, and where these are known."""
        a, b = self._wide(h, low, high, np.shape(x))
        logs = self.logarithms(x)
        known = np.isfinite(a) & np.isfinite(b) & (a != b) & np.isfinite(logs)
        step = np.where(known, b - a, 1.0) / self.top
        return np.where(known, logs - a, 0.0) / step, step, known

    def _wide(
        self, h: declared.Hyper, low: Array, high: Array, shape: tuple[int, ...]
    ) -> tuple[Array, Array]:
        a, b = (np.asarray(end).astype(np.float64) for end in (low, high))
        return self.cut.per_element(h, a, shape), self.cut.per_element(h, b, shape)

    def decode(self, h: declared.Hyper, code: Array, low: Array, high: Array) -> Array:
        """The value of every code."""
        return self._read(h, code, low, high)[0]

    def _read(
        self, h: declared.Hyper, code: Array, low: Array, high: Array
    ) -> tuple[Array, Array, Array]:
        """Values, and what their exponents are the sums of."""
        a, b = self._wide(h, low, high, code.shape)
        with np.errstate(invalid="ignore", over="ignore"):
            above = code / self.top * (b - a)
            return np.exp(a + above), a, above

    def decoded(
        self, h: declared.Hyper, code: Array, low: Array, high: Array
    ) -> tuple[Array, Array]:
        """Between which numbers decoded values lie."""
        v, a, above = self._read(h, code, low, high)
        with np.errstate(invalid="ignore", over="ignore"):
            # Of the code's part, the difference of ends and their product; then of the sum.
            off = (3 * U * np.abs(above) + U * np.abs(a + above)) * (1 + 2.0**-20) + _OFF
            ends = v * np.exp(-off), v * np.exp(off)
        known = np.isfinite(v)
        low, high = (np.where(known, end, v) for end in ends)
        return around(low, np.where(known, 2.0**-149, 0.0))[0], around(high, 2.0**-149)[1]

    def admissible(
        self,
        h: declared.Hyper,
        x: Array,
        low: Array,
        high: Array,
        *,
        division_ulps: float = 0.5,
        flush_subnormals: bool = False,
    ) -> tuple[Array, Array]:
        """The least and the largest code a faithful kernel may give, from its own ends.

        An element with the interval of all codes is not judged.
        """
        q, step, known = self._steps(h, x, low, high)
        if flush_subnormals:
            known = known & (x >= 2.0**-126)
        with np.errstate(invalid="ignore"):
            logs = np.where(known, np.abs(self.logarithms(x)), 0.0)
        # The logarithm, what it is above the end, the step of two operations, and their quotient.
        relative = 2 * U + 4 * division_ulps * U + OWN
        slack = _OFF * logs / step + relative * np.abs(q) + U * (np.abs(q) + 1)
        ends = (np.clip(np.floor(q + e + 0.5), 0, self.top) for e in (-slack, slack))
        least, most = ends
        return np.where(known, least, 0), np.where(known, most, self.top)


def _outward(x: Array, *, up: bool) -> Array:
    """x rounded to float16, up or down."""
    near = x.astype(np.float16)
    beyond = np.nextafter(near, np.float16(np.inf if up else -np.inf))
    wide = near.astype(np.float64)
    return np.where(wide < x if up else wide > x, np.minimum(beyond, np.float16(TOP)), near)


# What all formats have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2]


def _made(bits: int) -> LogRange:
    about = f"Logarithms in {bits} bits between a block's least and largest, both in float16"
    codes = tuple(map(float, range(2**bits)))
    row = Row(about, codes, "float16", Hyper, largest=float(2**bits - 1))
    return LogRange(BlockFormat(f"log_range_{bits}bit", row))


FORMATS: dict[str, Array] = {f"log_range_{bits}bit": _made(bits) for bits in (4, 8)}
