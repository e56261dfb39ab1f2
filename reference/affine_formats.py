"""Formats with two numbers to a group: affine integers, and ggml's with a minimum.

Over 120 lines: facts and the one body of all of them.

Rule
    low_g, high_g = min x_i, max x_i of group g, with 0 among the numbers where the range holds it
    s_g = (high_g - low_g) / (2^bits - 1)
    "zero_point": z_g = round(-low_g / s_g), within the codes
        code_i = round(x_i / s_g) + z_g, within the codes
        x~_i = (code_i - z_g) s_g
    "min": code_i = floor((x_i - low_g) / s_g + 1/2), within the codes; then s_g and low_g are
        rounded to float16
        x~_i = code_i s_g + low_g

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte. One per group: scale, float32 with
    a zero_point, uint8, or float16 with a min, float16. Groups are those of ``block_formats``.

Domain
    x holds float32 values. What is said of codes and zero points holds for scales between 2^-126
    and 2^126 where the kernel inverts them.

Choices
    normalise: x over the scale, or times its rounded reciprocal.
    range: whether 0 is among the numbers whose extremes are taken. Without it the zero point of a
    group far from 0 ends at the least or the largest code, and so do the codes.
    sum: whether the zero point is added to what was rounded, or before, where the sum rounds too.
    least, zero_scale: those of ``block_formats``.

Special cases
    A group with a nan or an infinity has a nan or an infinite scale, and of its codes and of its
    zero point nothing is promised. Where high = low the scale is 0, or what is put in its place:
    under 0 any zero point will do, and the code of 0 is the zero point; with a min the codes are 0.

Judged
    Scales and minima by the interval of what a faithful float32 kernel may give, zero points from
    the kernel's own scale, codes from both; decoded values as the float32 rounding of the rule.

Sources
    B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-
    Only Inference" (arXiv:1712.05877), section 2; llama.cpp, ggml-quants.c, quantize_row_q4_1_ref
    and quantize_row_q5_1_ref.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.around import Around
from truestep.reference.block_formats import BlockFormat
from truestep.reference.block_scales import OWN, U
from truestep.reference.declared import Count
from truestep.reference.format_rows import DIALECTS, Grouping, Least, Row
from truestep.reference.stored_arrays import Stored
from truestep.reference.validation import Array

_EPSILON = np.float32(2.0**-23)
_LARGEST = float(np.finfo(np.float32).max)
_LAWS = (
    "equivariant_under_concatenation", "equivariant_under_permutation", "groups_are_independent",
    "independent_of_layout", "monotone_in_a_group",
)  # fmt: skip
_OF_ZERO_POINTS = (
    "codes_unchanged_when_scaled_by_a_power_of_two", "idempotent", "nearest_value_taken",
    "zero_stays_zero",
)  # fmt: skip
_CHOICES = {
    "normalise": DIALECTS["normalise"],
    "range": {
        "with_zero": "0 is among the numbers whose extremes are taken",
        "own": "the extremes are the group's own",
    },
    "sum": {
        "after": "the zero point is added to the rounded quotient",
        "before": "the zero point is added before rounding, and is itself a rounded sum",
    },
    "zero_scale": DIALECTS["zero_scale"],
}


class Whole(declared.Hyper):
    """Of affine integers by row and by tensor."""

    least: Least = 0.0
    normalise: Literal["divide", "reciprocal"] = "divide"
    range: Literal["with_zero", "own"] = "with_zero"
    sum: Literal["after", "before"] = "after"
    zero_scale: Literal["kept", "epsilon"] = "kept"


class Grouped(declared.Hyper):
    """Of affine integers by groups of consecutive elements."""

    block_size: Annotated[int, Count(1, (128, 64, 32, 256))] = 128
    least: Least = 0.0
    normalise: Literal["divide", "reciprocal"] = "divide"
    range: Literal["with_zero", "own"] = "with_zero"
    sum: Literal["after", "before"] = "after"
    zero_scale: Literal["kept", "epsilon"] = "kept"


class Minimum(declared.Hyper):
    """Of ggml's, whose scale is inverted before it is rounded."""

    normalise: Literal["reciprocal", "divide"] = "reciprocal"


@dataclass(frozen=True)
class AffineFormat(Around):
    """A format: what cuts the groups, with the codes' bits, and which second number it keeps."""

    cut: BlockFormat
    bits: int
    second: Literal["zero_point", "min"]
    EXACT = STORES = False
    SCALE = "scale"

    def __post_init__(self) -> None:
        self.named(self.cut.name, self.cut.row.about, _SHARED)

    @property
    def LAWS(self) -> tuple[str, ...]:
        """The laws of groups that hold; a minimum may be so large that nothing is left of codes."""
        return _LAWS if self.second == "min" else (*_LAWS, *_OF_ZERO_POINTS)

    @property
    def DIALECTS(self) -> Mapping[str, Mapping[str, str]]:
        """Its choices."""
        return {
            name: {value: _CHOICES[name][value] for value in values}
            for name, values in self.cut.Hyper.CHOICES.items()
        }

    @property
    def top(self) -> int:
        """The largest code."""
        return int(2**self.bits - 1)

    def beside(self, h: declared.Hyper, shape: tuple[int, ...]) -> Mapping[str, Stored]:
        """What is stored beside the codes of a tensor of this shape."""
        of = (self.cut.groups(h, shape),)
        if self.second == "min":
            half = np.dtype(np.float16)
            return {"scale": Stored(half, of), "min": Stored(half, of)}
        zero = Stored(np.dtype(np.uint8), of, codes=self.top + 1)
        return {"scale": Stored(np.dtype(np.float32), of), "zero_point": zero}

    def extreme(self, h: declared.Hyper) -> float:
        """From 0 to this the scale is 1."""
        return float(self.top)

    def second_rounding(self, h: declared.Hyper) -> float:
        """Nothing: every scale is read as it is stored."""
        return 0.0

    def units(self, h: declared.Hyper, x: Array) -> Array:
        """Groups of numbers in units of their scale, which both ends make 1, from several lows."""
        room = self.cut.length(h) - 2
        rows = np.zeros((-(-x.size // room), room))
        rows.reshape(-1)[: x.size] = x
        made = np.pad(rows, [(0, 0), (1, 1)])
        made[:, -1] = self.top
        step = 0 if self.cut.row.grouping == "tensor" else 7
        low = (np.arange(len(made)) * step + self.top // 3) % (self.top + 1)
        return np.stack([np.roll(row, i) for i, row in enumerate(made - low[:, None])])

    # Scales, zero points and minima.

    def ends(self, h: declared.Hyper, x: Array) -> tuple[Array, Array]:
        """The least and the largest number of every group."""
        own = getattr(h, "range", "own") == "own"
        low = np.full(self.cut.groups(h, x.shape), np.inf if own else 0.0)
        high, group = -low, self.cut.group_of(h, x.shape).reshape(-1)
        np.minimum.at(low, group, x.reshape(-1))
        np.maximum.at(high, group, x.reshape(-1))
        return low, high

    def _stored(self, h: declared.Hyper, y: Array) -> Array:
        """A scale as it is stored."""
        with np.errstate(over="ignore"):
            s = np.maximum(y, getattr(h, "least", 0.0)).astype(np.float32)
            if self.second == "min":
                return s.astype(np.float16)
        return np.where((s == 0) & (h.zero_scale == "epsilon"), _EPSILON, s)

    def scales(
        self, h: declared.Hyper, x: Array, *, division_ulps: float = 0.5
    ) -> tuple[Array, Array]:
        """The least and the largest scale, as it is stored, that a faithful kernel may give."""
        low, high = self.ends(h, x)
        # A difference, over the largest code or times its rounded reciprocal.
        slack = U + 2 * division_ulps * U + U + OWN
        with np.errstate(invalid="ignore"):
            width = high - low
            y = width / self.top
            least, most = self._stored(h, y * (1 - slack)), self._stored(h, y * (1 + slack))
        return least, np.where(width > _LARGEST, np.inf, most).astype(most.dtype)

    def intervals(
        self, h: declared.Hyper, x: Array, scale: Array, second: Array, *, division_ulps: float
    ) -> Mapping[str, tuple[Array, Array]]:
        """Of each stored array the least and the largest due; zero points from the own scale."""
        scales = self.scales(h, x, division_ulps=division_ulps)
        low, _ = self.ends(h, x)
        if self.second == "min":
            with np.errstate(over="ignore"):
                minimum = low.astype(np.float16)
            return {"scale": scales, "min": (minimum, minimum)}
        zeros = self._added(h, -low, scale, 0, division_ulps)
        free = self._unknown(h, -low, scale, division_ulps) | (scale == 0)
        least, most = (np.where(free, second, end) for end in zeros)
        return {"scale": scales, "zero_point": (least, most)}

    def _unknown(self, h: declared.Hyper, x: Array, s: Array, division_ulps: float) -> Array:
        """Where nothing is known of x / s."""
        unknown = ~np.isfinite(s) | ~np.isfinite(x) | ((s == 0) & (x != 0))
        if h.normalise != "divide" or division_ulps > 0.5:
            unknown |= (s != 0) & ((s < 2.0**-126) | (s > 2.0**126))
        return unknown

    def _added(
        self, h: declared.Hyper, x: Array, s: Array, zero: Array | int, division_ulps: float
    ) -> tuple[Array, Array]:
        """The least and the largest code that x / s with the zero point may become."""
        usable = np.isfinite(s) & (s != 0) & np.isfinite(x)
        q, s = np.where(usable, x, 0.0) / np.where(usable, s, 1.0), np.where(usable, s, 1.0)
        relative = 2 * division_ulps * U + (U if h.normalise != "divide" else 0.0) + OWN
        exact = (np.frexp(s)[0] == 0.5) & (division_ulps <= 0.5)
        slack = np.where(exact, 0.0, relative) * np.abs(q)
        if h.sum == "before":
            # The sum is below 2^bits wherever it is not limited.
            slack, q = slack + U * 2.0**self.bits, q + zero
            found = np.rint(q - slack), np.rint(q + slack)
        else:
            found = np.rint(q - slack) + zero, np.rint(q + slack) + zero
        return np.clip(found[0], 0, self.top), np.clip(found[1], 0, self.top)

    # Codes.

    def encode(self, h: declared.Hyper, x: Array) -> tuple[Array, Array, Array]:
        """The codes of x, and the scale and the second number of every group."""
        x = np.asarray(x, np.float64)
        low, high = self.ends(h, x)
        with np.errstate(invalid="ignore"):
            width = high - low
        if self.second == "min":
            s, m = (self.cut.per_element(h, end, x.shape) for end in (width / self.top, low))
            with np.errstate(over="ignore", invalid="ignore"):
                code = np.floor(np.where(s > 0, x - m, 0.0) / np.where(s > 0, s, 1.0) + 0.5)
                minimum = low.astype(np.float16)
            return self._limited(code), self._stored(h, width / self.top), minimum
        scale = self._stored(h, width / self.top)
        wide = scale.astype(np.float64)
        zero_point = self._limited(self._plain(h, -low, wide, 0))
        s, z = (self.cut.per_element(h, held, x.shape) for held in (wide, zero_point))
        return self._limited(self._plain(h, x, s, z)), scale, zero_point

    @staticmethod
    def _plain(h: declared.Hyper, x: Array, s: Array, zero: Array | int) -> Array:
        usable = np.isfinite(s) & (s != 0) & np.isfinite(x)
        q = np.where(usable, x, 0.0) / np.where(usable, s, 1.0)
        return np.rint(q + zero) if h.sum == "before" else np.rint(q) + zero

    def _limited(self, code: Array) -> Array:
        return np.clip(np.nan_to_num(code), 0, self.top).astype(np.uint8)

    def decode(self, h: declared.Hyper, code: Array, scale: Array, second: Array) -> Array:
        """The value of every code, exact in float64."""
        s, second = (
            self.cut.per_element(h, np.asarray(held, np.float64), code.shape)
            for held in (scale, second)
        )
        with np.errstate(invalid="ignore"):
            return code * s + second if self.second == "min" else (code - second) * s

    def admissible(
        self,
        h: declared.Hyper,
        x: Array,
        scale: Array,
        second: Array,
        *,
        division_ulps: float = 0.5,
        flush_subnormals: bool = False,
    ) -> tuple[Array, Array]:
        """The least and the largest code a faithful kernel may give, from its own zero point.

        An element with the interval of all codes is not judged.
        """
        if self.second == "min":
            low, high, unknown = self._above(h, x, division_ulps)
        else:
            s, zero = (self.cut.per_element(h, held, x.shape) for held in (scale, second))
            low, high = self._added(h, x, s, zero.astype(np.float64), division_ulps)
            unknown = self._unknown(h, x, s, division_ulps)
            unknown |= flush_subnormals & (x != 0) & ((np.abs(x) < 2.0**-126) | (s < 2.0**-126))
        return np.where(unknown, 0, low), np.where(unknown, self.top, high)

    def _above(
        self, h: declared.Hyper, x: Array, division_ulps: float
    ) -> tuple[Array, Array, Array]:
        """The codes of x above its group's minimum, and where they are not known."""
        low, high = self.ends(h, x)
        with np.errstate(invalid="ignore"):
            width, m = (self.cut.per_element(h, end, x.shape) for end in (high - low, low))
            s, y = width / self.top, x - m
        known = np.isfinite(width) & (s >= 2.0**-126) & (s <= 2.0**126) & (width <= _LARGEST)
        q = np.where(known, y, 0.0) / np.where(known, s, 1.0)
        # Two differences, the scale's division and the reciprocal of the largest code, and x over
        # that or times its rounded reciprocal; then the sum, below 2^bits.
        inverse = U if h.normalise == "reciprocal" else 0.0
        slack = (4 * U + 4 * division_ulps * U + inverse + OWN) * q + U * 2.0**self.bits
        ends = np.floor(q - slack + 0.5), np.floor(q + slack + 0.5)
        alike = width == 0
        found = [np.where(alike, 0, np.clip(end, 0, self.top)) for end in ends]
        return found[0], found[1], ~known & ~alike


# What all formats have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]


def _codes(bits: int) -> tuple[float, ...]:
    return tuple(map(float, range(2**bits)))


def _affine(bits: int, grouping: Grouping) -> tuple[str, AffineFormat]:
    told = {"block": "group"}.get(grouping, grouping)
    about = f"Affine {bits}-bit integers, a float32 scale and a zero point for each {told}"
    name = f"uint{bits}" + {"block": "", "row": "_rows", "tensor": "_tensor"}[grouping]
    kind = Grouped if grouping == "block" else Whole
    row = Row(about, _codes(bits), "float32", kind, grouping)
    return name, AffineFormat(BlockFormat(name, row), bits, "zero_point")


def _minimum(bits: int) -> tuple[str, AffineFormat]:
    about = f"llama.cpp's Q{bits}_1: integers, a scale and a minimum in float16"
    row = Row(about, _codes(bits), "float16", Minimum, block=32)
    name = f"q{bits}_1"
    return name, AffineFormat(BlockFormat(name, row), bits, "min")


FORMATS: dict[str, Array] = dict(
    sorted(
        [
            *(
                _affine(bits, grouping)
                for bits in (4, 8)
                for grouping in ("block", "row", "tensor")
            ),
            *(_minimum(bits) for bits in (4, 5)),
        ]
    )
)
