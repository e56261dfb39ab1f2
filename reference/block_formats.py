"""Formats whose elements share a scale by groups: codebooks, integers, MX, NVFP4, scaled floats.

Over 120 lines: one body for all of them. What tells one from another stands in ``format_rows``.

Rule
    s_g = the scale of group g, from its extreme: max |x_i|, or the element of that magnitude
    code_i = the code of the element value nearest to x_i / s_g, or the next toward zero
    x~_i = value(code_i) s_g

    Scales: "absmax" and "signed_absmax" are the extreme; "float32" is the extreme over the largest
    value, rounded; "e8m0" a power of two by its exponent + 127, "e4m3" a code of an 8-bit float.

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte; scale: one per group in their
    order. Blocks are cut from x in C order, the last may be short and is never padded; rows run
    along the last axis; tiles are cut from the last two, row by row.

Domain
    x holds float32 values. What is said of codes holds for scales between 2^-126 and 2^126 where
    the kernel inverts them or flushes subnormal numbers.

Choices
    normalise: x over the scale, or times its rounded reciprocal, or times the largest value over
    the extreme. It does not move the reference, only how far a faithful kernel may stray.
    rounding, ties: which of two equally near values is taken, or that the quotient is cut off.
    rule: which power of two is the scale of an MX block. OCP's divides the largest power of two
    that is at most absmax by that of the elements, so that up to a quarter of the range saturates;
    cuBLAS takes the least power of two under which nothing does.
    power: whether a float32 scale is made a power of two. least: below which no block scale goes.
    zero_block: the scale of a block of zeros, which OCP leaves open.

Special cases
    A group with a nan or an infinity has a nan or an infinite scale (of "e8m0" and "e4m3" nan), and
    of its codes nothing is promised. A group of zeros has scale 0, or the least one, or 1, by its
    format; its codes are those of zero. Elements with a zero of either sign keep the sign.

Judged
    Scales by the interval of what a faithful float32 kernel may give, which of a power of two is
    one number; codes by `admissible`, from the kernel's own scale; decoded values as the float32
    rounding of value times scale.

Sources
    Open Compute Project, "OCP Microscaling Formats (MX) Specification", revision 1.0, 2023. NVIDIA,
    "Pretraining Large Language Models with NVFP4" (arXiv:2509.25149). Those of ``element_tables``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from truestep.reference import declared, format_rows
from truestep.reference.element_tables import E4M3
from truestep.reference.format_rows import ROWS, Row
from truestep.reference.validation import Array

U = 2.0**-24
# Of the few float64 roundings of the intervals themselves.
_OWN = 2.0**-50
_E8M0_BIAS, _E8M0_NAN = 127, 255
_E4M3_NAN = 127
# Elements to a group where there is one group only, in the cases that are built from groups.
_ROOM = 256


def e8m0_value(code: Array) -> Array:
    """2^(code - 127), and nan for 255."""
    return np.where(
        code == _E8M0_NAN, np.nan, np.ldexp(1.0, np.asarray(code, np.int64) - _E8M0_BIAS)
    )


def e4m3_value(code: Array) -> Array:
    """The values of the codes of float8_e4m3fn."""
    return np.asarray(E4M3)[np.asarray(code, np.int64)]


def e4m3_nearest(y: Array) -> Array:
    """The code of the e4m3 number nearest to y >= 0, ties to even, saturated; nan stays nan."""
    positive = np.asarray(E4M3)[:_E4M3_NAN]
    middle = (positive[:-1] + positive[1:]) / 2
    low, high = (np.searchsorted(middle, y, side) for side in ("left", "right"))
    return np.where(np.isnan(y), _E4M3_NAN, np.where(low % 2 == 0, low, high))


def exponent(x: Array) -> Array:
    """floor(log2 x) of a positive number, exactly."""
    return np.frexp(x)[1].astype(np.int64) - 1


@dataclass(frozen=True)
class BlockFormat:
    """A format by its row; name: what the table calls it."""

    name: str
    row: Row
    BLOCKS = True
    SCALE = "scale"

    @property
    def INDEPENDENT(self) -> bool:
        """Whether groups are cut from the tensor in C order, so that what follows changes none."""
        return self.row.grouping == "block"

    @property
    def SCALES(self) -> bool:
        """Whether twice the tensor has twice the scales: none has a limit within the range."""
        return self.row.scale not in ("e4m3", "e8m0")

    def __post_init__(self) -> None:
        object.__setattr__(self, "__name__", f"{__name__}.{self.name}")
        object.__setattr__(self, "__doc__", f"{self.name}: {self.row.about}.\n\n{_SHARED}")

    def __hash__(self) -> int:
        return hash(self.name)

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
        """The codes in the order of their values, -0 before 0, each value once; and the values."""
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
        return 2.0**self.row.emax if getattr(h, "rule", "") == "ceil" else self.row.largest

    # Groups.

    def length(self, h: declared.Hyper) -> int:
        """Elements of a whole group, where the format says; of rows and tensors any number."""
        if self.row.grouping == "tile":
            return self.row.block**2
        free = self.row.grouping in ("row", "tensor")
        return _ROOM if free else self.row.block or int(h.block_size)

    def arranged(self, h: declared.Hyper, groups: Array) -> Array:
        """A tensor whose groups are these, one a row; of one group for the tensor, the first's."""
        if self.row.grouping == "tile":
            return groups.reshape(-1, self.row.block)
        return groups if self.row.grouping == "row" else groups.reshape(-1)

    def group_of(self, h: declared.Hyper, shape: tuple[int, ...]) -> Array:
        """The number of every element's group, in the given shape."""
        size = math.prod(shape)
        at = np.arange(size).reshape(shape)
        if self.row.grouping == "tensor" or not shape:
            return at // max(size, 1)
        if self.row.grouping == "block":
            return at // self.length(h)
        if self.row.grouping == "row":
            return at // max(shape[-1], 1)
        rows, columns = shape[-2:] if len(shape) > 1 else (1, shape[-1])
        side = self.row.block
        down, across = -(-rows // side), -(-columns // side)
        i, j = at // max(columns, 1) % max(rows, 1), at % max(columns, 1)
        return (at // max(rows * columns, 1) * down + i // side) * across + j // side

    def groups(self, h: declared.Hyper, shape: tuple[int, ...]) -> int:
        """How many groups there are."""
        size = math.prod(shape)
        return int(self.group_of(h, shape).max()) + 1 if size else 0

    def per_element(self, h: declared.Hyper, scale: Array, shape: tuple[int, ...]) -> Array:
        """The scale of every element's group, in the given shape."""
        return np.asarray(scale)[self.group_of(h, shape)]

    # Scales.

    def extremes(self, h: declared.Hyper, x: Array) -> Array:
        """The largest magnitude of every group, or the first element of that magnitude."""
        group = self.group_of(h, x.shape).reshape(-1)
        largest = np.zeros(self.groups(h, x.shape))
        np.maximum.at(largest, group, np.abs(x).reshape(-1))
        if self.row.scale != "signed_absmax":
            return largest
        at = np.flatnonzero(np.abs(x).reshape(-1) == largest[group])[::-1]
        signed = largest.copy()
        signed[group[at]] = x.reshape(-1)[at]
        return signed

    def scales(
        self, h: declared.Hyper, x: Array, *, division_ulps: float = 0.5
    ) -> tuple[Array, Array]:
        """The least and the largest scale, as it is stored, that a faithful kernel may give."""
        m = self.extremes(h, x)
        slack = 2 * division_ulps * U
        if self.row.scale in ("absmax", "signed_absmax"):
            return m.astype(np.float32), m.astype(np.float32)
        if self.row.scale == "e8m0":
            code = self._shared_exponent(h, m)
            return code, code
        # Divided by the largest value, or multiplied by its rounded reciprocal.
        slack = slack + (0.0 if np.frexp(self.row.largest)[0] == 0.5 else U) + _OWN
        stored = self._block_scale if self.row.scale == "e4m3" else self._quotient
        y = m / self.row.largest
        return stored(h, y * (1 - slack)), stored(h, y * (1 + slack))

    def _shared_exponent(self, h: declared.Hyper, m: Array) -> Array:
        finite = np.where(np.isfinite(m) & (m > 0), m, 1.0)
        e = exponent(finite) - self.row.emax
        if h.rule == "ceil":
            e = e + (np.ldexp(1.0, e + self.row.emax) < finite)
        elif h.rule == "rceil":
            least = finite / self.row.largest
            e = exponent(least) + (np.ldexp(1.0, exponent(least)) < least)
        elif h.rule == "even":
            # Half a unit of the element's last place is added to the fraction, which may carry.
            e = e + (np.frexp(finite)[0] * 2 >= 2 - 2.0 ** -(self.row.bits + 1))
        code = np.clip(e + _E8M0_BIAS, 0, _E8M0_NAN - 1)
        code = np.where(m == 0, 0 if h.zero_block == "least" else _E8M0_BIAS, code)
        return np.where(np.isfinite(m), code, _E8M0_NAN).astype(np.uint8)

    def _block_scale(self, h: declared.Hyper, y: Array) -> Array:
        y = np.where(np.isinf(y), np.nan, np.maximum(y, h.least))
        return e4m3_nearest(y).astype(np.uint8)

    def _quotient(self, h: declared.Hyper, y: Array) -> Array:
        """The extreme over the largest value in float32, itself or the power of two beside it."""
        with np.errstate(over="ignore"):
            s = y.astype(np.float32)
        power = getattr(h, "power", "none")
        if power == "none":
            return s
        usable = np.isfinite(s) & (s > 0)
        finite = np.where(usable, s, np.float32(1)).astype(np.float64)
        e = exponent(finite)
        if power == "ceil":
            e = e + (np.ldexp(1.0, e) < finite)
        return np.where(usable, np.ldexp(1.0, e), s).astype(np.float32)

    def scale_value(self, scale: Array) -> Array:
        """What a stored scale stands for."""
        if self.row.scale == "e8m0":
            return e8m0_value(scale)
        return e4m3_value(scale) if self.row.scale == "e4m3" else np.asarray(scale, np.float64)

    # Codes.

    def encode(self, h: declared.Hyper, x: Array) -> tuple[Array, Array]:
        """The codes of x and the scale of every group."""
        x = np.asarray(x, np.float64)
        scale = self.chosen(h, x)
        y, size = self._against(x, self.per_element(h, self.scale_value(scale), x.shape))
        # t s < x decides what t < x / s would, and the product is exact in float64.
        t = self.thresholds(h)
        rank = self._count(
            lambda k: (t[k] * size < y) | ((t[k] * size == y) & self._up(h, k, y)), x.shape
        )
        return self.ranked[0][rank].astype(np.uint8), scale

    def chosen(self, h: declared.Hyper, x: Array) -> Array:
        """The scale of every group as it is stored, without an error."""
        m = self.extremes(h, x)
        if self.row.scale in ("absmax", "signed_absmax"):
            return m.astype(np.float32)
        if self.row.scale == "e8m0":
            return self._shared_exponent(h, m)
        stored = self._block_scale if self.row.scale == "e4m3" else self._quotient
        return stored(h, m / self.row.largest)

    def _against(self, x: Array, s: Array) -> tuple[Array, Array]:
        """x as seen by a positive scale, and that; 0 and 1 where there is none to be had."""
        usable = np.isfinite(s) & (s != 0)
        y = np.where(s < 0, -x, x)
        y = np.where(np.isfinite(x) & (usable | (x == 0)), y, 0.0)
        return y, np.where(usable, np.abs(s), 1.0)

    def _count(self, reached: Callable[[Array], Array], shape: tuple[int, ...]) -> Array:
        """How many of the ascending thresholds each element has reached, by bisection."""
        last = len(self.ranked[0]) - 1
        count = np.zeros(shape, np.int64)
        for bit in (128, 64, 32, 16, 8, 4, 2, 1):
            at = count + bit - 1
            count = count + bit * ((at < last) & reached(np.minimum(at, last - 1)))
        return count

    def _up(self, h: declared.Hyper, k: Array, y: Array) -> Array:
        """Whether a quotient on the k-th threshold goes up; between zeros its own sign decides."""
        codes, v = self.ranked
        t = self.thresholds(h)[k]
        rounding = getattr(h, "rounding", getattr(h, "ties", ""))
        if rounding == "toward_zero" and hasattr(h, "rounding"):
            up = t > 0  # a value itself, which is kept
        else:
            up = {
                "lower": np.zeros(k.shape, bool), "upper": np.ones(k.shape, bool),
                "toward_zero": t < 0, "nearest_away": t > 0, "nearest_even": codes[k] % 2 == 1,
            }[rounding]  # fmt: skip
        zeros = (v[k] == 0) & (v[np.minimum(k + 1, len(v) - 1)] == 0)
        return np.where(zeros, ~np.signbit(y), up)

    def decode(self, h: declared.Hyper, code: Array, scale: Array) -> Array:
        """The value of every code times its group's scale, exact in float64."""
        with np.errstate(invalid="ignore"):
            values = np.append(np.asarray(self.row.elements), np.full(256, np.nan))[code]
            return values * self.per_element(h, self.scale_value(scale), code.shape)

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
        s = self.per_element(h, self.scale_value(scale), x.shape)
        y, size = self._against(x, s)
        relative = self._quotient_error(h, size, division_ulps)
        slack = np.asarray(error, np.float64)
        if flush_subnormals:
            slack = slack + np.where(np.abs(x) < 2.0**-126, np.abs(x), 0.0)
        # Of a subnormal quotient half the least number is lost.
        slack = slack + np.where(relative > 0, 2.0**-150 * size, 0.0)
        low, high = (y - slack) / size, (y + slack) / size
        low, high = low - relative * np.abs(low), high + relative * np.abs(high)
        below, above = self._bands(h)
        single = below == above
        least = self._count(
            lambda k: (above[k] < low) | (single[k] & (above[k] == low) & self._up(h, k, y)),
            x.shape,
        )
        most = self._count(
            lambda k: (below[k] < high) | ((below[k] == high) & (self._up(h, k, y) | ~single[k])),
            x.shape,
        )
        unjudged = ~np.isfinite(s) | ~np.isfinite(x) | ((s == 0) & (x != 0))
        if flush_subnormals or division_ulps > 0.5 or getattr(h, "normalise", "") != "divide":
            unjudged |= (s != 0) & ((size < 2.0**-126) | (size > 2.0**126))
        return np.where(unjudged, 0, least), np.where(unjudged, self.ranks(h) - 1, most)

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

    def _quotient_error(self, h: declared.Hyper, size: Array, division_ulps: float) -> Array:
        """The relative error of x / s as a float32 kernel computes it; none by a power of two."""
        # x (1 / s) rounds once more, x (largest / absmax) goes without the rounding of s.
        more = {"reciprocal": U, "inverse": 2 * U}.get(getattr(h, "normalise", ""), 0.0)
        relative = (1 + 2 * division_ulps * U) * (1 + more) - 1 + _OWN
        exact = (np.frexp(size)[0] == 0.5) & (division_ulps <= 0.5) & (more < 2 * U)
        return np.where(exact, 0.0, relative)

    def rank(self, code: Array) -> Array:
        """The place of every code in the order of values; -1 of one that stands for none."""
        ranks = np.full(256, -1)
        ranks[self.ranked[0]] = np.arange(len(self.ranked[0]))
        values = np.append(np.asarray(self.row.elements), np.full(256, np.nan))
        for twin in np.flatnonzero((ranks < 0) & ~np.isnan(values[:256])):
            same = (values[:256] == values[twin]) & (ranks >= 0)
            ranks[twin] = ranks[same].max()
        return ranks[np.asarray(code, np.int64)]


# What all formats have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]

FORMATS: dict[str, Array] = {name: BlockFormat(name, ROWS[name]) for name in sorted(ROWS)}
