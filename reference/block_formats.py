"""Formats whose elements share a scale by groups: codebooks, integers, MX, NVFP4, scaled floats.

Over 120 lines: one body for all of them. What tells one from another stands in ``format_rows``.

Rule
    s_g = the scale of group g, from its extreme: max |x_i|, or the element of that magnitude
    code_i = the code of the element value nearest to x_i / s_g, or the next toward zero
    x~_i = value(code_i) s_g

    Scales: "absmax" is the extreme; "float32" is the extreme over the largest value, rounded;
    "float16" that rounded once more, which the codes do not see; "e8m0" a power of two by its
    exponent + 127, "e4m3" a code of an 8-bit float.

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
    rounding of value times scale, or by an interval where absmax is kept.

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
_EPSILON_E4M3, _EPSILON_FLOAT32 = np.float64(2.0**-3), np.float64(2.0**-23)
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


def second_level(h: declared.Hyper) -> float:
    """The scale of the whole tensor, as a float32 kernel has it; 1 where there is none."""
    scale = getattr(h, "tensor_scale", 1.0)
    if getattr(h, "level", "") == "reciprocal":
        return 1 / float(np.float32(1 / scale))
    return float(np.float32(scale))


def nonzero(h: declared.Hyper, scale: Array, epsilon: Array) -> Array:
    """The scales, with epsilon in the place of zero where the kernel puts it there."""
    epsilon = np.asarray(epsilon).astype(scale.dtype)
    return np.where((scale == 0) & (getattr(h, "zero_scale", "") == "epsilon"), epsilon, scale)


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
        return self.row.scale not in ("e4m3", "e8m0", "float16")

    @property
    def EXACT(self) -> bool:
        """Whether a value times a scale is a float32 number, whose quotient is that value."""
        return self.row.scale in ("e4m3", "e8m0") and "tensor_scale" not in self.row.Hyper.RANGES

    @property
    def STORES(self) -> bool:
        """Whether it can keep the state of an optimizer: its scales grow with the numbers."""
        able = self.row.scale in ("absmax", "float32") and not self.row.signed
        return able and self.row.grouping == "block"

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
        if not self.row.signed:
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
        if self.row.scale == "absmax" or _keeps_absmax(h):
            return m.astype(np.float32), m.astype(np.float32)
        if self.row.scale == "e8m0":
            code = self._shared_exponent(h, m)
            return code, code
        # Divided by the largest value, or multiplied by its rounded reciprocal.
        whole = abs(np.frexp(self.row.largest)[0]) == 0.5
        slack = slack + (0.0 if whole else U) + 2 * self.second_rounding(h) + _OWN
        y = m / self.row.largest / second_level(h)
        if self.row.scale == "float16":
            slack = 0.0 if whole and division_ulps <= 0.5 else slack
            ends = _float16(y * (1 - slack)), _float16(y * (1 + slack))
            return np.minimum(*ends), np.maximum(*ends)
        stored = self._block_scale if self.row.scale == "e4m3" else self._quotient
        ends = stored(h, y * (1 - slack)), stored(h, y * (1 + slack))
        # Epsilon in the place of zero is above what follows zero.
        return np.minimum(*ends), np.maximum(*ends)

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
        beyond = _E8M0_NAN - (np.isinf(m) & (h.infinity == "largest"))
        return np.where(np.isfinite(m), code, beyond).astype(np.uint8)

    def _block_scale(self, h: declared.Hyper, y: Array) -> Array:
        y = np.where(np.isinf(y), np.nan, np.maximum(y, h.least))
        return nonzero(h, e4m3_nearest(y).astype(np.uint8), e4m3_nearest(_EPSILON_E4M3))

    def _quotient(self, h: declared.Hyper, y: Array) -> Array:
        """The extreme over the largest value in float32, itself or the power of two beside it."""
        with np.errstate(over="ignore"):
            s = np.maximum(y, getattr(h, "least", -math.inf)).astype(np.float32)
        power = getattr(h, "power", "none")
        if power == "none":
            return nonzero(h, s, _EPSILON_FLOAT32)
        usable = np.isfinite(s) & (s > 0)
        finite = np.where(usable, s, np.float32(1)).astype(np.float64)
        e = exponent(finite)
        if power == "ceil":
            e = e + (np.ldexp(1.0, e) < finite)
        rounded = np.where(usable, np.ldexp(1.0, e), s).astype(np.float32)
        return nonzero(h, rounded, _EPSILON_FLOAT32)

    def value(self, h: declared.Hyper, scale: Array) -> Array:
        """By what an element of the group is multiplied."""
        return self.scale_value(scale) * second_level(h)

    def second_rounding(self, h: declared.Hyper) -> float:
        """How far a kernel's scale may be off, relatively, where it works that out as it reads."""
        if _keeps_absmax(h):
            return 2 * U
        return 0.0 if np.frexp(second_level(h))[0] == 0.5 else U

    def scale_value(self, scale: Array) -> Array:
        """What a stored scale stands for."""
        if self.row.scale == "e8m0":
            return e8m0_value(scale)
        return e4m3_value(scale) if self.row.scale == "e4m3" else np.asarray(scale, np.float64)

    # Codes.

    def encode(self, h: declared.Hyper, x: Array) -> tuple[Array, Array]:
        """The codes of x and the scale of every group."""
        x = np.asarray(x, np.float64)
        code, scale = self._encoded(h, x)
        if _keeps_absmax(h):
            return code, self.extremes(h, x).astype(np.float32)
        return code, _float16(scale) if self.row.scale == "float16" else scale

    def _encoded(self, h: declared.Hyper, x: Array) -> tuple[Array, Array]:
        scale = self.chosen(h, x)
        y, size = self._against(x, self.per_element(h, self.value(h, scale), x.shape))
        # t s < x decides what t < x / s would, and the product is exact in float64.
        t = self.thresholds(h)
        rank = self._count(
            lambda k: (t[k] * size < y) | ((t[k] * size == y) & self._up(h, k, y)), x.shape
        )
        return self.ranked[0][rank].astype(np.uint8), scale

    def chosen(self, h: declared.Hyper, x: Array) -> Array:
        """The scale of every group as it is stored, or before that; without an error."""
        m = self.extremes(h, x)
        if self.row.scale == "absmax":
            return m.astype(np.float32)
        if self.row.scale == "e8m0":
            return self._shared_exponent(h, m)
        if self.row.scale == "float16":
            return (m / self.row.largest).astype(np.float32)
        stored = self._block_scale if self.row.scale == "e4m3" else self._quotient
        return stored(h, m / self.row.largest / second_level(h))

    def divisor(self, h: declared.Hyper, x: Array, scale: Array) -> Array:
        """By what every group is divided: its scale, but not as it is rounded to float16."""
        if self.row.scale == "float16":
            return self.extremes(h, x) / self.row.largest
        value = self.value(h, scale)
        return value / self.row.largest if _keeps_absmax(h) else value

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
                "half_up": np.ones(k.shape, bool),
                "toward_zero": t < 0, "nearest_away": t > 0, "nearest_even": codes[k] % 2 == 1,
            }[rounding]  # fmt: skip
        zeros = (v[k] == 0) & (v[np.minimum(k + 1, len(v) - 1)] == 0)
        return np.where(zeros, ~np.signbit(y), up)

    def decode(self, h: declared.Hyper, code: Array, scale: Array) -> Array:
        """The value of every code times its group's scale, exact in float64."""
        with np.errstate(invalid="ignore"):
            values = np.append(np.asarray(self.row.elements), np.full(256, np.nan))[code]
            values = values / (self.row.largest if _keeps_absmax(h) else 1.0)
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
        low, high = v - slack, v + slack
        most = float(np.finfo(np.float32).max)
        return np.where(low < -most, -np.inf, low), np.where(high > most, np.inf, high)

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
        y, size = self._against(x, s)
        relative = self._quotient_error(h, size, division_ulps)
        slack = np.asarray(error, np.float64)
        if flush_subnormals:
            slack = slack + np.where(np.abs(x) < 2.0**-126, np.abs(x), 0.0)
        # Of a subnormal quotient half the least number is lost.
        slack = slack + np.where(relative > 0, 2.0**-150 * size, 0.0)
        low, high = (y - slack) / size, (y + slack) / size
        low, high = low - relative * np.abs(low), high + relative * np.abs(high)
        if getattr(h, "rounding", "") == "half_up":
            # The sum is below twice the largest value, a power of two.
            low, high = low - U * self.extreme(h), high + U * self.extreme(h)
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
        two_steps = self.row.scale == "float16" or _keeps_absmax(h)
        inverted = getattr(h, "normalise", "divide") != "divide" or two_steps
        if flush_subnormals or division_ulps > 0.5 or inverted:
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
        two_steps = self.row.scale == "float16" or _keeps_absmax(h)
        if two_steps and np.frexp(abs(self.row.largest))[0] != 0.5:
            # Of the scale itself, which is not what is kept.
            more = more + (0.0 if getattr(h, "normalise", "") == "inverse" else 2 * U)
        if not _keeps_absmax(h):
            more = more + 3 * self.second_rounding(h)
        relative = (1 + 2 * division_ulps * U) * (1 + more) - 1 + _OWN
        exact = (np.frexp(size)[0] == 0.5) & (division_ulps <= 0.5) & (more < 2 * U)
        return np.where(exact, 0.0, relative)

    def rank(self, code: Array) -> Array:
        """The place of every code in the order of values; -1 of one that stands for none."""
        ranks = np.full(256, -1)
        ranks[self.ranked[0]] = np.arange(len(self.ranked[0]))
        return ranks[np.asarray(code, np.int64)]


def _keeps_absmax(h: declared.Hyper) -> bool:
    return getattr(h, "kept", "") == "absmax"


def _float16(y: Array) -> Array:
    """y rounded to float32 and then to float16."""
    with np.errstate(over="ignore"):
        return y.astype(np.float32).astype(np.float16)


# What all formats have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]

FORMATS: dict[str, Array] = {name: BlockFormat(name, ROWS[name]) for name in sorted(ROWS)}
