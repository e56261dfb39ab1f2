"""Affine integers whose zero points are numbers: of two sorts, as tinygemm and HQQ keep them.

Rule
    low_g, high_g = min x_i, max x_i of group g;  s_g = (high_g - low_g) / (2^bits - 1)
    middle = 2^(bits - 1)
    zero "middle": z_g = low_g + middle s_g
        code_i = round((x_i - (z_g - middle s_g)) / s_g), within the codes
        x~_i = (code_i - middle) s_g + z_g
    zero "code": z_g = -low_g / s_g
        code_i = round(x_i / s_g + z_g), within the codes
        x~_i = (code_i - z_g) s_g

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte; scale and zero_point: float32, one
    of each per group. Groups are those of ``block_formats``.

Domain
    x holds float32 values. What is said of codes and zero points holds for scales between 2^-126
    and 2^126.

Choices
    zero: what the middle code stands for, or of which code, which need not be one, 0 is the value.
    normalise: x over the scale, or times what the scale is the rounded reciprocal of.
    least: below which no scale goes.

Special cases
    Of a group with a nan or an infinity nothing is promised but a scale that is none. Where high =
    low the scale is 0, or least: under 0 nothing is promised of codes, nor of a zero point that is
    a code. 0 is a value of a group by chance alone. Far from 0, where s_g is small beside z_g, the
    codes of a float32 kernel may be any.

Judged
    Scales by the interval of what a faithful float32 kernel may give, zero points from the kernel's
    own scale, codes from both. Decoded values by an interval: product and sum, or difference and
    product, each round, or are fused.

Sources
    torchao 0.18, quant_primitives.py, _choose_qparams_affine_tinygemm and _quantize_affine_tinygemm
    (ZeroPointDomain.FLOAT); H. Badri, A. Shaji, "Half-Quadratic Quantization of Large Machine
    Learning Models" (Mobius Labs, 2023), whose search for z is not judged.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.affine_formats import AffineFormat
from truestep.reference.block_formats import BlockFormat
from truestep.reference.block_scales import OWN, U, around
from truestep.reference.declared import Count
from truestep.reference.format_rows import DIALECTS, Least, Row
from truestep.reference.stored_arrays import Stored
from truestep.reference.validation import Array

_FLOAT32 = np.dtype(np.float32)
_CHOICES = {
    "normalise": DIALECTS["normalise"],
    "zero": {
        "middle": "the zero point is what the middle code stands for",
        "code": "the zero point is the code, not rounded, that stands for 0",
    },
}


class Hyper(declared.Hyper):
    """How long a group is, and what its zero point is."""

    block_size: Annotated[int, Count(1, (128, 64, 32, 256))] = 128
    least: Least = 0.0
    normalise: Literal["divide", "reciprocal"] = "divide"
    zero: Literal["middle", "code"] = "middle"


class FloatZero(AffineFormat):
    """Integers above the least number of their group, with a float32 scale and zero point."""

    @property
    def LAWS(self) -> tuple[str, ...]:
        """The laws of groups that hold: nothing is exact of a range that is worked out anew."""
        return (
            "codes_unchanged_when_scaled_by_a_power_of_two", "equivariant_under_concatenation",
            "equivariant_under_permutation", "groups_are_independent", "independent_of_layout",
            "monotone_in_a_group",
        )  # fmt: skip

    @property
    def DIALECTS(self) -> Mapping[str, Mapping[str, str]]:
        """Its choices."""
        return {
            name: {value: _CHOICES[name][value] for value in values}
            for name, values in Hyper.CHOICES.items()
        }

    @property
    def middle(self) -> float:
        """Half the number of codes."""
        return float(2.0 ** (self.bits - 1))

    def beside(self, h: declared.Hyper, shape: tuple[int, ...]) -> Mapping[str, Stored]:
        """What is stored beside the codes of a tensor of this shape."""
        of = (self.cut.groups(h, shape),)
        return {"scale": Stored(_FLOAT32, of), "zero_point": Stored(_FLOAT32, of)}

    def second_rounding(self, h: declared.Hyper) -> float:
        """Not nothing: values are worked out in two operations."""
        return U

    def _stored(self, h: declared.Hyper, y: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.maximum(y, h.least).astype(np.float32)

    def _zero(self, h: declared.Hyper, low: Array, s: Array, error: float = 0.0) -> Array:
        """The zero point of groups from low upwards, as it is stored."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            z = low + self.middle * s if h.zero == "middle" else -low / s * (1 + error)
            return z.astype(np.float32)

    def intervals(
        self, h: declared.Hyper, x: Array, scale: Array, second: Array, *, division_ulps: float
    ) -> Mapping[str, tuple[Array, Array]]:
        """Of each stored array the least and the largest due; zero points from the own scale."""
        low, _ = self.ends(h, x)
        slack = self._relative(h, division_ulps)
        made = [self._zero(h, low, scale, e) for e in (-slack, slack)]
        least, most = np.minimum(*made), np.maximum(*made)
        free = ~np.isfinite(low) | ~np.isfinite(least) | ~np.isfinite(most)
        if h.zero == "code":
            free |= (scale < 2.0**-126) | (scale > 2.0**126)
        least, most = (np.where(free, second, end) for end in (least, most))
        return {
            "scale": self.scales(h, x, division_ulps=division_ulps),
            "zero_point": (least, most),
        }

    @staticmethod
    def _relative(h: declared.Hyper, division_ulps: float) -> float:
        """How far a quotient by the scale may be off, relatively."""
        return 2 * division_ulps * U + (U if h.normalise != "divide" else 0.0) + OWN

    def _quotient(self, h: declared.Hyper, x: Array, s: Array, z: Array) -> Array:
        """What is rounded to a code."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            if h.zero == "middle":
                return (x - (z - self.middle * s)) / s
            return x / s + z

    def encode(self, h: declared.Hyper, x: Array) -> tuple[Array, Array, Array]:
        """The codes of x, and the scale and the zero point of every group."""
        x = np.asarray(x, np.float64)
        low, high = self.ends(h, x)
        with np.errstate(invalid="ignore"):
            scale = self._stored(h, (high - low) / self.top)
        zero = self._zero(h, low, scale.astype(np.float64))
        s, z = (self.cut.per_element(h, y.astype(np.float64), x.shape) for y in (scale, zero))
        q = self._quotient(h, x, s, z)
        return self._limited(np.rint(np.where(np.isfinite(q), q, 0.0))), scale, zero

    def decode(self, h: declared.Hyper, code: Array, scale: Array, second: Array) -> Array:
        """The value of every code, exact in float64."""
        s, z = self._wide(h, scale, second, code.shape)
        with np.errstate(invalid="ignore"):
            if h.zero == "code":
                return (code - z) * s
            product = (code - self.middle) * s
            # Beside an infinite zero point one beyond float32 is infinite too.
            beyond = np.isinf(z) & (np.abs(product) > np.finfo(np.float32).max)
            return np.where(beyond, np.copysign(np.inf, product), product) + z

    def decoded(
        self, h: declared.Hyper, code: Array, scale: Array, second: Array
    ) -> tuple[Array, Array]:
        """Between which numbers decoded values lie, with the first operation rounded or not."""
        v = self.decode(h, code, scale, second)
        s, z = self._wide(h, scale, second, code.shape)
        with np.errstate(invalid="ignore", over="ignore"):
            first = np.abs((code - self.middle) * s) if h.zero == "middle" else np.abs(v)
            slack = U * (first + np.abs(v)) * (1 + 2.0**-20) + 2.0**-149
            lost = np.isfinite(s) & np.isfinite(z) & (first > np.finfo(np.float32).max)
        low, high = around(v, np.where(np.isfinite(v), slack, 0.0))
        # A product may overflow before the sum brings it back.
        return np.where(lost, -np.inf, low), np.where(lost, np.inf, high)

    def _wide(
        self, h: declared.Hyper, scale: Array, second: Array, shape: tuple[int, ...]
    ) -> tuple[Array, Array]:
        s, z = (np.asarray(y).astype(np.float64) for y in (scale, second))
        return self.cut.per_element(h, s, shape), self.cut.per_element(h, z, shape)

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
        s, z = self._wide(h, scale, second, x.shape)
        q = self._quotient(h, x, s, z)
        relative = self._relative(h, division_ulps)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            if h.zero == "middle":
                # The least number as the kernel has it, x above it, and the quotient.
                slack = U * np.abs(z - self.middle * s) / s + (U + relative) * np.abs(q)
            else:
                slack = relative * np.abs(x / s) + U * np.abs(q)
            slack = slack * (1 + 2.0**-20)
            ends = [self._limited(np.rint(q + e)) for e in (-slack, slack)]
        unknown = ~np.isfinite(q) | ~np.isfinite(slack) | (s < 2.0**-126) | (s > 2.0**126)
        return np.where(unknown, 0, ends[0]), np.where(unknown, self.top, ends[1])


# What both have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2]


def _made(bits: int) -> FloatZero:
    about = f"Affine {bits}-bit integers, a float32 scale and zero point for each group"
    codes = tuple(map(float, range(2**bits)))
    row = Row(about, codes, "float32", Hyper)
    made = FloatZero(BlockFormat(f"uint{bits}_float_zero", row), bits, "zero_point")
    made.named(made.cut.name, about, _SHARED)
    return made


FORMATS: dict[str, Array] = {f"uint{bits}_float_zero": _made(bits) for bits in (4, 8)}
