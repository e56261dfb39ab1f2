"""Formats whose elements share a scale by groups: codebooks, integers, MX, NVFP4, scaled floats.

Over 120 lines: one body for all of them. What tells one from another stands in ``format_rows``.

Rule
    s_g = the scale of group g, from its extreme: max |x_i|, or the element of that magnitude
    code_i = the code of the element value nearest to x_i / s_g, or the next toward zero, or of
        its two neighbours one at random, so that the expectation is x_i / s_g
    x~_i = value(code_i) s_g

    Scales: "absmax" is the extreme; "float32" is the extreme over the largest value, rounded;
    "float16" that rounded once more, which the codes do not see; "e8m0" a power of two by its
    exponent + 127, "e4m3" a code of an 8-bit float.

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte; scale: one per group in their
    order. Blocks are cut from x in C order, the last may be short and is never padded; rows run
    along the last axis and columns along the last but one, of which a vector has one element each;
    tiles are cut from the last two, row by row.

Domain
    x holds float32 values. What is said of codes holds for scales between 2^-126 and 2^126 where
    the kernel inverts them or flushes subnormal numbers.

Choices
    normalise: x over the scale, or times its rounded reciprocal, or times the largest value over
    the extreme. It does not move the reference, only how far a faithful kernel may stray.
    rounding, ties: which of two equally near values is taken, or that the quotient is cut off.
    "stochastic" takes the value next to the quotient away from zero where random < 2^16 p, with p
    how far it lies from the one toward zero, over their distance; beyond the largest it saturates.
    four_over_six: whether an NVFP4 block's extreme becomes 6 or 4 (``four_over_six``).
    rule: which power of two is the scale of an MX block. OCP's divides the largest power of two
    that is at most absmax by that of the elements, so that up to a quarter of the range saturates;
    cuBLAS takes the least power of two under which nothing does.
    kept: whether absmax is stored in the place of the quotient that is the scale.
    tensor_scale: by what every block scale is multiplied besides; whoever encodes gives it.
    power: whether a float32 scale is made a power of two. least: below which no scale goes.
    level: whether tensor_scale or its reciprocal is what a kernel has in float32.
    zero_block: the scale of a block of zeros, which OCP leaves open. zero_scale: what is put in the
    place of a float32 or e4m3 scale of zero, to divide by.
    infinity: the scale of a block with an infinity, which OCP leaves open.

Special cases
    A group with a nan or an infinity has a nan or an infinite scale (of "e8m0" and "e4m3" nan,
    but for `infinity`), and of its codes nothing is promised. A group of zeros has scale 0, or the
    least one, or 1, by its format; its codes are those of zero. Elements with a zero of either sign
    keep the sign.

Judged
    Scales by the interval of what a faithful float32 kernel may give, which of a power of two is
    one number; codes by `admissible`, from the kernel's own scale; decoded values as the float32
    rounding of value times scale, or by an interval where absmax is kept. Drawn codes are one of
    two, and their frequency at multiples of 2^-8 is judged by the exact binomial test.

Sources
    Open Compute Project, "OCP Microscaling Formats (MX) Specification", revision 1.0, 2023. NVIDIA,
    "Pretraining Large Language Models with NVFP4" (arXiv:2509.25149). Those of ``element_tables``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from truestep.reference import block_groups, declared, format_rows, four_over_six
from truestep.reference.block_scales import (
    OWN,
    U,
    around,
    interval,
    keeps_absmax,
    second_level,
    second_rounding,
    stored,
    turns,
    value,
)
from truestep.reference.erring_extremes import astray
from truestep.reference.format_rows import ROWS, Row
from truestep.reference.rules import Quantizer
from truestep.reference.validation import Array

# Elements to a group where there is one group only, in the cases that are built from groups.
_ROOM = 256


@dataclass(frozen=True)
class BlockFormat:
    """A format by its row; name: what the table calls it."""

    name: str
    row: Row
    BLOCKS = STORES = True
    SCALE = "scale"

    @property
    def INDEPENDENT(self) -> bool:
        """Whether groups are cut from the tensor in C order, so that what follows changes none."""
        return self.row.grouping == "block"

    @property
    def SCALES(self) -> bool:
        """Whether twice the tensor has twice the scales: none has a limit within the range."""
        return self.row.scale not in ("e4m3", "e8m0", "float16")

    @property
    def EXACT(self) -> bool:
        """Whether a value times a scale is a float32 number, whose quotient is that value."""
        return self.row.scale in ("e4m3", "e8m0") and "tensor_scale" not in self.row.Hyper.RANGES

    def __post_init__(self) -> None:
        object.__setattr__(self, "__name__", f"{__name__}.{self.name}")
        object.__setattr__(self, "__doc__", f"{self.name}: {self.row.about}.\n\n{_SHARED}")

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def _rule(self) -> Quantizer:
        """Itself, as it is known to what works on any."""
        return cast(Quantizer, self)

    @property
    def Hyper(self) -> type[declared.Hyper]:
        """Its hyperparameters."""
        return self.row.Hyper

    @property
    def DIALECTS(self) -> Mapping[str, Mapping[str, str]]:
        """Its choices."""
        return {
            name: {value: format_rows.DIALECTS[name][value] for value in values}
            for name, values in self.row.Hyper.CHOICES.items()
        }

    @cached_property
    def ranked(self) -> tuple[Array, Array]:
        """The codes in the order of their values, -0 before 0; and the values."""
        values = np.asarray(self.row.elements)
        codes = np.flatnonzero(~np.isnan(values))
        order = np.lexsort((~np.signbit(values[codes]), values[codes]))
        codes = codes[order]
        return codes, values[codes]

    def all_values(self, h: declared.Hyper) -> Array:
        """The values of all codes in their order, before the scale."""
        return np.asarray(self.row.elements)

    def thresholds(self, h: declared.Hyper) -> Array:
        """Between which numbers the nearest value changes, or at which, toward zero, it does."""
        _, v = self.ranked
        if getattr(h, "rounding", "") != "toward_zero":
            return (v[:-1] + v[1:]) / 2
        return np.where(v[1:] <= 0, v[:-1], v[1:])

    def extreme(self, h: declared.Hyper) -> float:
        """The size of a group's extreme at which its scale is 1."""
        return 2.0**self.row.emax if getattr(h, "rule", "") == "ceil" else abs(self.row.largest)

    def turns(self, h: declared.Hyper) -> Array:
        """The extremes at which what is stored of a scale changes, where that is of few numbers."""
        becomes = [self.row.largest, *([four_over_six.FOUR] if four_over_six.chooses(h) else [])]
        return turns(self.row, h, becomes)

    # Groups.

    def length(self, h: declared.Hyper) -> int:
        """Elements of a whole group, where the format says; of lines and tensors any number."""
        if self.row.grouping == "tile":
            return self.row.block**2
        free = self.row.grouping in ("column", "row", "tensor")
        return _ROOM if free else self.row.block or int(h.block_size)

    def arranged(self, h: declared.Hyper, groups: Array) -> Array:
        """A tensor whose groups are these, one a row."""
        return block_groups.arranged(self.row.grouping, self.row.block, groups)

    def group_of(self, h: declared.Hyper, shape: tuple[int, ...]) -> Array:
        """The number of every element's group, in the given shape."""
        size = self.length(h) if self.row.grouping == "block" else self.row.block
        return block_groups.group_of(self.row.grouping, size, shape)

    def groups(self, h: declared.Hyper, shape: tuple[int, ...]) -> int:
        """How many groups there are."""
        return int(self.group_of(h, shape).max()) + 1 if math.prod(shape) else 0

    def per_element(self, h: declared.Hyper, scale: Array, shape: tuple[int, ...]) -> Array:
        """The scale of every element's group, in the given shape."""
        return np.asarray(scale)[self.group_of(h, shape)]

    # Scales.

    def extremes(self, h: declared.Hyper, x: Array) -> Array:
        """The largest magnitude of every group, or the first element of that magnitude."""
        group, count = self.group_of(h, x.shape), self.groups(h, x.shape)
        return block_groups.extremes(x, group, count, signed=self.row.signed)

    def scales(
        self, h: declared.Hyper, x: Array, *, division_ulps: float = 0.5
    ) -> tuple[Array, Array]:
        """The least and the largest scale, as it is stored, that a faithful kernel may give."""
        return interval(self.row, h, self.extremes(h, x), division_ulps=division_ulps)

    def intervals(
        self, h: declared.Hyper, x: Array, scale: Array, *, division_ulps: float = 0.5
    ) -> Mapping[str, tuple[Array, Array]]:
        """The same by its name, where the kernel's own scale says which of two it has chosen."""
        if four_over_six.chooses(h):
            return {self.SCALE: four_over_six.intervals(self._rule, h, x, scale, division_ulps)}
        return {self.SCALE: self.scales(h, x, division_ulps=division_ulps)}

    def chosen(self, h: declared.Hyper, x: Array) -> Array:
        """The scale of every group, as it is stored."""
        if four_over_six.chooses(h):
            return four_over_six.chosen(self._rule, h, x)
        return stored(self.row, h, self.extremes(h, x))

    def value(self, h: declared.Hyper, scale: Array) -> Array:
        """By what an element of the group is multiplied."""
        return value(self.row, h, scale)

    def read_by(self, h: declared.Hyper) -> tuple[float, float]:
        """By what value times stored scale is multiplied besides, and by what it is divided."""
        level = second_level(h)
        divisor = abs(self.row.largest) if keeps_absmax(h) else 1.0
        if getattr(h, "level", "") == "reciprocal":
            return 1.0, divisor / level
        return level, divisor

    def second_rounding(self, h: declared.Hyper) -> float:
        """How far a kernel's scale may be off, relatively, where it works that out as it reads."""
        return second_rounding(h)

    def divisor(self, h: declared.Hyper, x: Array, scale: Array) -> Array:
        """By what every group is divided: its scale, but not as it is rounded to float16."""
        if self.row.scale == "float16":
            return self.extremes(h, x) / self.row.largest
        value = self.value(h, scale)
        return value / self.row.largest if keeps_absmax(h) else value

    # Codes.

    def encode(
        self, h: declared.Hyper, x: Array, random: Array | None = None
    ) -> tuple[Array, Array]:
        """The codes of x and the scale of every group.

        Stochastic rounding takes random integers in [0, 2^16), shaped like x, from the caller.
        """
        x = np.asarray(x, np.float64)
        scale = self.chosen(h, x)
        y, size = self.against(x, self.per_element(h, self.divisor(h, x, scale), x.shape))
        rank = self._drawn(y, size, random) if _draws(h) else self.nearest(h, y, size)
        return self.ranked[0][rank].astype(np.uint8), scale

    def nearest(self, h: declared.Hyper, y: Array, size: Array) -> Array:
        """The ranks of the values nearest to y over size, or next toward zero."""
        # t s < x decides what t < x / s would, and the product is exact in float64.
        t = self.thresholds(h)
        (up, zeros), positive = self._goes_up(h), ~np.signbit(y)

        def reached(k: Array) -> Array:
            at = t[k] * size
            return (at < y) | ((at == y) & np.where(zeros[k], positive, up[k]))

        return self._count(reached, y.shape)

    def _drawn(self, y: Array, size: Array, random: Array | None) -> Array:
        if random is None:
            raise ValueError("stochastic rounding needs random integers in [0, 2^16), got None")
        low, high = self._neighbours(y, y, y, size)
        part = self._part(y, low, high, size)
        away = random < 2**16 * np.where(y < 0, 1 - part, part)
        return np.where(away == (y > 0), high, low)

    def _neighbours(self, y: Array, least: Array, most: Array, size: Array) -> tuple[Array, Array]:
        """The ranks of the values times size at or below least, and at or above most.

        Of the two zeros a y has that of its own sign.
        """
        v, positive = self.ranked[1], ~np.signbit(y)
        zeros = (v[:-1] == 0) & (v[1:] == 0)
        low = self._count(lambda k: np.where(zeros[k], positive, v[k + 1] * size <= least), y.shape)
        high = self._count(lambda k: np.where(zeros[k], positive, v[k] * size < most), y.shape)
        return low, high

    def _part(self, y: Array, low: Array, high: Array, size: Array) -> Array:
        """How far from the lower to the upper neighbour y lies; 0 where both are one."""
        v = self.ranked[1]
        gap = np.where(low < high, (v[high] - v[low]) * size, 1.0)
        return np.where(low < high, np.clip((y - v[low] * size) / gap, 0, 1), 0.0)

    def probability_up(
        self,
        h: declared.Hyper,
        x: Array,
        scale: Array,
        *,
        error: Array | float = 0.0,
        division_ulps: float = 0.5,
    ) -> tuple[Array, Array]:
        """How often, at least and at most, stochastic rounding takes more than `lower`'s value.

        scale: the kernel's own. error: by how much its x may differ from x. Exact but for that and
        the rounding of the quotient.
        """
        y, size = self.against(x, self.per_element(h, self.divisor(h, x, scale), x.shape))
        between = self._neighbours(y, y, y, size)
        astray = self.quotient_error(h, size, division_ulps) * (np.abs(y) + error) + error
        least, most = (self._part(y + e, *between, size) for e in (-astray, astray))
        return least, most

    def lower(self, h: declared.Hyper, x: Array, scale: Array) -> Array:
        """The rank of the value next to x over its scale, or at it, that is not above it."""
        y, size = self.against(x, self.per_element(h, self.divisor(h, x, scale), x.shape))
        return self._neighbours(y, y, y, size)[0]

    def against(self, x: Array, s: Array) -> tuple[Array, Array]:
        """x as seen by a positive scale, and that; 0 and 1 where there is none to be had."""
        usable = np.isfinite(s) & (s != 0)
        y = np.where(s < 0, -x, x)
        y = np.where(np.isfinite(x) & (usable | (x == 0)), y, 0.0)
        return y, np.where(usable, np.abs(s), 1.0)

    def _count(self, reached: Callable[[Array], Array], shape: tuple[int, ...]) -> Array:
        """How many of the ascending thresholds each element has reached, by bisection."""
        last = len(self.ranked[0]) - 1
        count = np.zeros(shape, np.int64)
        for power in reversed(range(last.bit_length())):
            bit = 1 << power
            at = count + bit - 1
            count = count + bit * ((at < last) & reached(np.minimum(at, last - 1)))
        return count

    def _goes_up(self, h: declared.Hyper) -> tuple[Array, Array]:
        """On which thresholds a quotient goes up; and between which its own sign decides, zeros."""
        codes, v = self.ranked
        t = self.thresholds(h)
        rounding = getattr(h, "rounding", getattr(h, "ties", ""))
        if rounding == "toward_zero" and hasattr(h, "rounding"):
            up = t > 0  # a value itself, which is kept
        else:
            up = {
                "lower": np.zeros(t.shape, bool), "upper": np.ones(t.shape, bool),
                "half_up": np.ones(t.shape, bool),
                "toward_zero": t < 0, "nearest_away": t > 0, "nearest_even": codes[:-1] % 2 == 1,
            }[rounding]  # fmt: skip
        return up, (v[:-1] == 0) & (v[1:] == 0)

    def decode(self, h: declared.Hyper, code: Array, scale: Array) -> Array:
        """The value of every code times its group's scale, exact in float64."""
        with np.errstate(invalid="ignore"):
            values = np.append(self.all_values(h), np.full(256, np.nan))[code]
            values = values / (self.row.largest if keeps_absmax(h) else 1.0)
            return values * self.per_element(h, self.value(h, scale), code.shape)

    def decoded(self, h: declared.Hyper, code: Array, scale: Array) -> tuple[Array, Array]:
        """Between which numbers decoded values lie where the scale is worked out as it is read.

        Code, absmax and the largest value or its rounded reciprocal, or both levels of scales, may
        meet in any order.
        """
        v = self.decode(h, code, scale)
        size = np.where(np.isfinite(v), np.abs(v), 0.0)
        roundings = (U + self.second_rounding(h)) * (1 + 2.0**-20)
        slack = roundings * size + 2.0**-150 * (1 + self.row.largest)
        return around(v, slack)

    def admissible(
        self,
        h: declared.Hyper,
        x: Array,
        scale: Array,
        *,
        error: Array | float = 0.0,
        division_ulps: float = 0.5,
        flush_subnormals: bool = False,
    ) -> tuple[Array, Array]:
        """The least and the largest rank, in the order of values, a faithful kernel may give.

        scale: the kernel's own, itself judged before. error: by how much its x may differ from x.
        An element with the interval of all ranks is not judged.
        """
        s = self.per_element(h, self.divisor(h, x, scale), x.shape)
        y, size = self.against(x, s)
        relative = self.quotient_error(h, size, division_ulps)
        slack = np.asarray(error, np.float64)
        if self.row.scale == "float16":
            slack = astray(self._rule, h, x, slack)
        # What is divided by a scale that was rounded to 0 may be anything.
        erring = np.isinf(slack) | ((s == 0) & (slack > 0) & (self.row.scale != "absmax"))
        slack = np.where(erring, 0.0, slack)
        if flush_subnormals:
            slack = slack + np.where(np.abs(x) < 2.0**-126, np.abs(x), 0.0)
        # Of a subnormal quotient half the least number is lost.
        slack = slack + np.where(relative > 0, 2.0**-150 * size, 0.0)
        low, high = (y - slack) / size, (y + slack) / size
        low, high = low - relative * np.abs(low), high + relative * np.abs(high)
        if _draws(h):
            # A quotient keeps its sign, where that of x is known.
            known = np.abs(y) >= error
            low = np.where(known & (y >= 0), np.maximum(low, 0.0), low)
            high = np.where(known & (y <= 0), np.minimum(high, 0.0), high)
            least, most = self._neighbours(y, low, high, np.ones(x.shape))
        else:
            least, most = self._nearest_of(h, y, low, high)
        unjudged = erring | ~np.isfinite(s) | ~np.isfinite(x) | ((s == 0) & (x != 0))
        two_steps = self.row.scale == "float16" or keeps_absmax(h)
        inverted = getattr(h, "normalise", "divide") != "divide" or two_steps
        if flush_subnormals or division_ulps > 0.5 or inverted:
            unjudged |= (s != 0) & ((size < 2.0**-126) | (size > 2.0**126))
        return np.where(unjudged, 0, least), np.where(unjudged, self.ranks(h) - 1, most)

    def _nearest_of(
        self, h: declared.Hyper, y: Array, low: Array, high: Array
    ) -> tuple[Array, Array]:
        """The least and the largest rank of quotients from low to high."""
        if getattr(h, "rounding", "") == "half_up":
            # The sum is below twice the largest value, a power of two.
            low, high = low - U * self.extreme(h), high + U * self.extreme(h)
        below, above = self._bands(h)
        single, up = below == above, np.logical_or(*self._goes_up(h))
        # What a quotient has to be at least to be above a threshold.
        ends = [
            np.where(certain, band, np.nextafter(band, np.inf))
            for certain, band in ((single & up, above), (~single | up, below))
        ]
        # Of the two zeros a quotient of zero has that of its own sign.
        both = np.signbit(y) & bool(np.any(np.diff(self.ranked[1]) == 0))
        least, most = (
            np.searchsorted(end, q, side="right") - (both & (q == 0))
            for end, q in zip(ends, (low, high), strict=True)
        )
        return least, most

    def ranks(self, h: declared.Hyper) -> int:
        """How many values there are."""
        return len(self.ranked[0])

    def _bands(self, h: declared.Hyper) -> tuple[Array, Array]:
        """Between which numbers a float32 kernel's threshold lies: itself or as it is rounded.

        Or it compares the residual x - q with half the gap, which is exact unless q is far smaller.
        """
        t, (_, v) = self.thresholds(h), self.ranked
        nearest, gap = t.astype(np.float32).astype(np.float64), np.diff(v)
        least = np.minimum(np.abs(v[:-1]), np.abs(v[1:]))
        exact = (gap.astype(np.float32) == gap) & (np.abs(t) <= 2 * least) | (nearest == t)
        residual = np.where(exact, 0.0, U * gap)
        return np.minimum(nearest, t - residual), np.maximum(nearest, t + residual)

    def quotient_error(self, h: declared.Hyper, size: Array, division_ulps: float) -> Array:
        """The relative error of x / s as a float32 kernel computes it; none by a power of two."""
        # x (1 / s) rounds once more, x (largest / absmax) goes without the rounding of s.
        more = {"reciprocal": U, "inverse": 2 * U}.get(getattr(h, "normalise", ""), 0.0)
        two_steps = self.row.scale == "float16" or keeps_absmax(h)
        if two_steps and np.frexp(abs(self.row.largest))[0] != 0.5:
            # Of the scale itself, which is not what is kept.
            more = more + (0.0 if getattr(h, "normalise", "") == "inverse" else 2 * U)
        if not keeps_absmax(h):
            more = more + 3 * second_rounding(h)
        relative = (1 + 2 * division_ulps * U) * (1 + more) - 1 + OWN
        exact = (np.frexp(size)[0] == 0.5) & (division_ulps <= 0.5) & (more < 2 * U)
        return np.where(exact, 0.0, relative)

    def rank(self, code: Array) -> Array:
        """The place of every code in the order of values; -1 of one that stands for none."""
        ranks = np.full(256, -1)
        ranks[self.ranked[0]] = np.arange(len(self.ranked[0]))
        return ranks[np.asarray(code, np.int64)]


def _draws(h: declared.Hyper) -> bool:
    return getattr(h, "rounding", "") == "stochastic"


# What all formats have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]

FORMATS: dict[str, Array] = {name: BlockFormat(name, ROWS[name]) for name in sorted(ROWS)}
