"""Block formats as facts: elements, scale, grouping, and the choices of those who implement them.

A row is all that a format needs; ``block_formats`` does the work. Over 120 lines: a list.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference import element_tables as tables
from truestep.reference.declared import Count, Real

# How the scale of a group is kept, and what it is.
Scale = Literal["absmax", "float32", "float16", "e8m0", "e4m3"]
Grouping = Literal["block", "column", "row", "tensor", "tile"]

_NEAREST = {
    "nearest_even": "of two equally near values the one with the even code",
    "nearest_away": "of two equally near values the larger in magnitude",
    "toward_zero": "what is left of the quotient is cut off",
    "stochastic": "to either neighbour, with a probability that makes the quotient the expectation",
    "half_up": "cut off after 1/2 and what makes codes of the values was added, which rounds once",
}
_NORMALISE = {
    "divide": "x divided by the scale",
    "reciprocal": "x multiplied by the rounded reciprocal of the scale",
    "inverse": "x multiplied by the largest value over absmax",
}
_TIES = {
    "lower": "midpoints to the lower value",
    "upper": "midpoints to the upper value",
    "toward_zero": "midpoints to the value nearer to zero",
}
_RULES = {
    "floor": "2^(floor(log2 absmax) - emax): OCP's, which saturates what exceeds the largest value",
    "ceil": "2^(ceil(log2 absmax) - emax)",
    "rceil": "the least power of two that is at least absmax over the largest value",
    "even": "absmax rounded half up to the element's precision, then as floor",
}
_FOUR_OVER_SIX = {
    "off": "the extreme of every block becomes 6",
    "mae": "the extreme becomes 6 or 4, by the lesser sum of what elements miss, if equal 6",
    "mse": "the extreme becomes 6 or 4, by the lesser sum of squares of that, if equal 6",
}
_INFINITY = {
    "nan": "a block with an infinity has scale nan",
    "largest": "a block with an infinity has the largest scale, as PTX' cvt.satfinite.ue8m0 gives",
}
_KEPT = {
    "quotient": "the scale is absmax over the largest value",
    "absmax": "absmax is kept, and the scale worked out from it",
}
_NAN = {"propagate": "a group with a nan has scale nan", "ignore": "the extreme passes over a nan"}
_ZERO = {"least": "a block of zeros has the least scale", "one": "a block of zeros has scale 1"}
_ZERO_SCALE = {
    "kept": "a scale of zero stays that",
    "epsilon": "a scale of zero becomes the distance from 1 to the next number of its own format",
}
_LEVEL = {"scale": "float32, multiplied by", "reciprocal": "its reciprocal in float32, divided by"}
_POWER = {
    "none": "the quotient rounded to float32",
    "floor": "rounded down to a power of two",
    "ceil": "rounded up to a power of two",
}


# Below which no float32 scale goes: a kernel that has such a limit fixes it as it is stored.
Least = Annotated[float, Real(0.0, 1.0, open="high", usual=(0.0,), listed=True)]


Rounding = Literal["nearest_even", "nearest_away", "stochastic", "toward_zero"]

FourOverSix = Literal["off", "mae", "mse"]


class Codebook(declared.Hyper):
    """Of codebooks with an absmax for every block; defaults are the papers'."""

    block_size: Annotated[int, Count(1, (64, 128, 256, 1024, 4096, 32))] = 64
    least: Least = 0.0
    normalise: Literal["divide", "reciprocal"] = "divide"
    ties: Literal["lower", "upper", "toward_zero"] = "lower"


class WholeCodebook(declared.Hyper):
    """Of codebooks with an absmax for the tensor."""

    least: Least = 0.0
    normalise: Literal["divide", "reciprocal"] = "divide"
    ties: Literal["lower", "upper", "toward_zero"] = "lower"


class Grouped(declared.Hyper):
    """Of integers and small floats with a scale for every group of consecutive elements."""

    block_size: Annotated[int, Count(1, (128, 64, 32, 256))] = 128
    least: Least = 0.0
    normalise: Literal["divide", "reciprocal", "inverse"] = "divide"
    rounding: Rounding = "nearest_even"
    zero_scale: Literal["kept", "epsilon"] = "kept"


class Whole(declared.Hyper):
    """Of integers and small floats with a scale for every row, column, tile or tensor."""

    kept: Literal["quotient", "absmax"] = "quotient"
    least: Least = 0.0
    normalise: Literal["divide", "reciprocal", "inverse"] = "divide"
    rounding: Rounding = "nearest_even"
    zero_scale: Literal["kept", "epsilon"] = "kept"


class Microscaling(declared.Hyper):
    """Of OCP's MX formats: how the shared exponent is chosen, and how elements are rounded."""

    infinity: Literal["nan", "largest"] = "nan"
    rule: Literal["floor", "ceil", "rceil", "even"] = "floor"
    rounding: Rounding = "nearest_even"
    zero_block: Literal["least", "one"] = "least"


class OneLevel(declared.Hyper):
    """Of NVFP4: the least block scale, and how elements are rounded and normalised."""

    four_over_six: FourOverSix = "off"
    least: Annotated[float, Real(0.0, 1.0, usual=(0.0, 2.0**-6), listed=True)] = 0.0
    normalise: Literal["divide", "reciprocal"] = "divide"
    rounding: Rounding = "nearest_even"


class TwoLevel(declared.Hyper):
    """Of NVFP4 under a scale of the whole tensor, which is given: absmax / (448 * 6) as a rule."""

    tensor_scale: Annotated[
        float, Real(0.0, open="low", usual=(1.0, 0.001, 2.0**-10, 3e-5, 7.0))
    ] = 1.0
    four_over_six: FourOverSix = "off"
    least: Annotated[float, Real(0.0, 1.0, usual=(0.0, 2.0**-6), listed=True)] = 0.0
    level: Literal["scale", "reciprocal"] = "scale"
    rounding: Rounding = "nearest_even"
    zero_scale: Literal["kept", "epsilon"] = "kept"


class Scaled(declared.Hyper):
    """Of 8-bit floats with a float32 scale: whether it is a power of two."""

    least: Least = 0.0
    normalise: Literal["divide", "reciprocal", "inverse"] = "divide"
    power: Literal["none", "floor", "ceil"] = "none"
    rounding: Rounding = "nearest_even"
    zero_scale: Literal["kept", "epsilon"] = "kept"


class ScaledBlocks(declared.Hyper):
    """The same, with a scale for every group of consecutive elements."""

    block_size: Annotated[int, Count(1, (128, 64, 32, 256))] = 128
    least: Least = 0.0
    normalise: Literal["divide", "reciprocal", "inverse"] = "divide"
    power: Literal["none", "floor", "ceil"] = "none"
    rounding: Rounding = "nearest_even"
    zero_scale: Literal["kept", "epsilon"] = "kept"


class Halved(declared.Hyper):
    """Of integers with a float16 scale: codes come from the quotient before that is rounded."""

    normalise: Literal["reciprocal", "divide"] = "reciprocal"
    rounding: Literal["nearest_away", "nearest_even", "half_up"] = "nearest_away"


class Shifted(declared.Hyper):
    """The same of integers that reach farther below zero, whose codes are the values plus that."""

    normalise: Literal["reciprocal", "divide"] = "reciprocal"
    rounding: Literal["half_up", "nearest_away", "nearest_even"] = "half_up"


# What the values of every choice mean; a format has those that its Hyper has.
DIALECTS: dict[str, dict[str, str]] = {
    "four_over_six": _FOUR_OVER_SIX, "infinity": _INFINITY, "kept": _KEPT, "level": _LEVEL,
    "nan": _NAN, "normalise": _NORMALISE, "power": _POWER, "rounding": _NEAREST, "rule": _RULES,
    "ties": _TIES, "zero_block": _ZERO, "zero_scale": _ZERO_SCALE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One format. elements: the value of every code. largest: what a group's extreme becomes.

    block: elements of a group, of a tile those of a side; 0 where Hyper says. emax: the exponent of
    the largest power of two among the elements. bits: fraction bits of the elements. signed: the
    extreme is the element of the largest magnitude, with its sign.
    """

    about: str
    elements: tuple[float, ...]
    scale: Scale
    Hyper: type[declared.Hyper]
    grouping: Grouping = "block"
    block: int = 0
    largest: float = 1.0
    emax: int = 0
    bits: int = 0
    signed: bool = False


def _codebook(
    about: str, elements: tuple[float, ...], grouping: Grouping = "block", *, signed: bool = False
) -> Row:
    kind = Codebook if grouping == "block" else WholeCodebook
    return Row(about, tables.float32(elements), "absmax", kind, grouping, signed=signed)


def _microscaling(
    about: str, elements: tuple[float, ...], *shape: int | float, grouping: Grouping = "block"
) -> Row:
    largest, emax, bits = shape
    return Row(
        about, elements, "e8m0", Microscaling, grouping, 32,
        largest=float(largest), emax=int(emax), bits=int(bits),
    )  # fmt: skip


def _symmetric(bits: int, grouping: Grouping = "block", *, full: bool = False) -> Row:
    """full: with the least number, and half of the range as what the extreme becomes."""
    kind = Grouped if grouping == "block" else Whole
    largest = 2.0 ** (bits - 1) - (0.5 if full else 1)
    about = f"Symmetric {bits}-bit integers, absmax / {largest:g} as the scale of each "
    elements = tables.integers(bits, full=full)
    told = "consecutive elements" if grouping == "block" else grouping
    return Row(about + told, elements, "float32", kind, grouping, largest=largest)


def _scaled(name: str, elements: tuple[float, ...], grouping: Grouping, largest: float) -> Row:
    side = 128 if grouping == "tile" else 0
    kind = ScaledBlocks if grouping == "block" else Scaled
    told = {"block": "consecutive elements", "tile": "128 x 128 elements"}.get(grouping, grouping)
    about = f"{name} elements with a float32 scale for every {told}, absmax / {largest:g}"
    return Row(about, elements, "float32", kind, grouping, side, largest)


_NVFP4_GROUPS: tuple[tuple[str, str, Grouping], ...] = (
    ("", "16 elements", "block"), ("_tiles", "16 x 16 elements", "tile"),
)  # fmt: skip

ROWS: dict[str, Row] = {
    "af4": _codebook("AbnormalFloat4 (Yoshida 2023)", tables.AF4),
    "bof4": _codebook("Block-wise optimal float (Blumenberg et al. 2025)", tables.BOF4),
    "bof4_s": _codebook(
        "Block-wise optimal float by the signed extreme (Blumenberg et al. 2025)",
        tables.BOF4_S, signed=True,
    ),
    "dynamic_4bit": _codebook(
        "Dynamic exponent (Li et al. 2023), first moments", tables.DYNAMIC_4BIT
    ),
    "dynamic_8bit_tensor": _codebook(
        "Dynamic tree (Dettmers et al. 2022), tensor-wise", tables.dynamic(signed=True), "tensor"
    ),
    "dynamic_8bit_unsigned_tensor": _codebook(
        "Dynamic (Dettmers et al. 2022), tensor-wise, second moments",
        tables.dynamic(signed=False), "tensor",
    ),
    "fp4": _codebook("bitsandbytes' 4-bit float", tables.FP4),
    "inverse_dynamic_8bit": _codebook(
        "Inverse dynamic (Dettmers et al. 2022)", tables.dynamic(signed=True, inverse=True)
    ),
    "inverse_dynamic_8bit_unsigned": _codebook(
        "Inverse dynamic (Dettmers et al. 2022), second moments",
        tables.dynamic(signed=False, inverse=True),
    ),
    "linear_4bit": _codebook(
        "Linear without zero (Li et al. 2023), second moments", tables.LINEAR_4BIT
    ),
    "linear_8bit": _codebook("Linear over [-1, 1]", tables.LINEAR_8BIT),
    "linear_8bit_tensor": _codebook(
        "Linear over [-1, 1], tensor-wise", tables.LINEAR_8BIT, "tensor"
    ),
    "linear_8bit_unsigned": _codebook("Linear over [0, 1]", tables.LINEAR_8BIT_UNSIGNED),
    "linear_8bit_unsigned_tensor": _codebook(
        "Linear over [0, 1], tensor-wise", tables.LINEAR_8BIT_UNSIGNED, "tensor"
    ),
    "log_4bit": _codebook("Logarithmic, 7 magnitudes down to 2^-6", tables.logarithmic(4, 2.0**-6)),
    "log_8bit": _codebook(
        "Logarithmic, 127 magnitudes down to 2^-24", tables.logarithmic(8, 2.0**-24)
    ),
    "nf4": _codebook("NormalFloat4 (Dettmers et al. 2023)", tables.NF4),
    **{f"int{bits}": _symmetric(bits) for bits in range(2, 9)},
    "int8_columns": _symmetric(8, "column"),
    "int8_rows": _symmetric(8, "row"),
    "int8_tensor": _symmetric(8, "tensor"),
    "int4_rows": _symmetric(4, "row"),
    **{f"int{bits}_full": _symmetric(bits, full=True) for bits in (3, 4, 8)},
    **{f"int{bits}_full_rows": _symmetric(bits, "row", full=True) for bits in (4, 8)},
    "int8_full_tensor": _symmetric(8, "tensor", full=True),
    "mxfp4": _microscaling("MXFP4 (OCP MX 1.0): E2M1", tables.E2M1, 6, 2, 1),
    "mxfp4_tiles": _microscaling(
        "MXFP4 by 32 x 32 elements: E2M1", tables.E2M1, 6, 2, 1, grouping="tile"
    ),
    "mxfp6_e2m3": _microscaling("MXFP6 (OCP MX 1.0): E2M3", tables.E2M3, 7.5, 2, 3),
    "mxfp6_e3m2": _microscaling("MXFP6 (OCP MX 1.0): E3M2", tables.E3M2, 28, 4, 2),
    "mxfp8_e4m3": _microscaling("MXFP8 (OCP MX 1.0): E4M3", tables.E4M3, 448, 8, 3),
    "mxfp8_e4m3_tiles": _microscaling(
        "MXFP8 by 32 x 32 elements: E4M3", tables.E4M3, 448, 8, 3, grouping="tile"
    ),
    "mxfp8_e5m2": _microscaling("MXFP8 (OCP MX 1.0): E5M2", tables.E5M2, 57344, 15, 2),
    "mxint8": _microscaling(
        "MXINT8 (OCP MX 1.0): integers times 2^-6", tables.sixty_fourths(), 127 / 64, 0, 6
    ),
    **{
        f"nvfp4{levels}{tiles}": Row(
            f"NVFP4 with {told}, an E4M3 scale of {of}",
            tables.E2M1, "e4m3", kind, grouping, block=16, largest=6.0,
        )
        for levels, told, kind in (
            ("", "one level: E2M1", OneLevel),
            ("_two_level", "two levels, a float32 scale of the tensor besides: E2M1", TwoLevel),
        )
        for tiles, of, grouping in _NVFP4_GROUPS
    },
    **{
        f"q{bits}_0": Row(
            f"llama.cpp's Q{bits}_0: integers, a float16 scale, signed extreme over -{half}",
            tuple(map(float, range(-half, half))), "float16", Shifted,
            block=32, largest=-float(half), signed=True,
        )
        for bits, half in ((4, 8), (5, 16))
    },
    "q8_0": Row(
        "llama.cpp's Q8_0: 8-bit integers, a float16 scale, absmax / 127", tables.integers(8),
        "float16", Halved, block=32, largest=127.0,
    ),
    **{
        f"{name.lower()}_{grouping}s": _scaled(name, elements, grouping, largest)
        for name, elements, largest in (
            ("E4M3", tables.E4M3, 448.0), ("E5M2", tables.E5M2, 57344.0),
        )
        for grouping in ("tensor", "row", "block", "tile")
    },
}  # fmt: skip
