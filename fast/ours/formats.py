"""What the extension is told of number formats and block formats: facts from the reference's rows.

No format has a kernel of its own. A small float is its widths and codes of special cases; a block
format a table of element values, the numbers between which an element's value changes, and how the
scale of a group follows from its extreme.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.protocol import Array, DType
from truestep.reference.block_formats import BlockFormat
from truestep.reference.declared import Hyper
from truestep.reference.element_tables import SMALL_E4M3, numbers
from truestep.reference.format_rows import ROWS, Row
from truestep.reference.powers_of_two import BIAS, LARGEST, NAN
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.small_float import SmallFloat

# The fraction bits of float32.
_ONE = 1 << 23
# Above which fraction a number becomes the power of two above it, in units of 2^-23.
_CUTS: Mapping[str, int] = {
    "down": _ONE, "nearest_even": _ONE // 2, "nearest_up": _ONE // 2 - 1, "stochastic": 0, "up": 0,
}  # fmt: skip
# Above which part of the spacing a small float that is cut goes up, in units of 2^-32.
_HALF, _NEVER = 2**31 - 1, 2**32 - 1
# What elements of block formats may be. Of 16 of them the search is the faster way.
_ELEMENTS = ("float6_e2m3fn", "float6_e3m2fn", "float8_e4m3fn", "float8_e5m2")
_SCALES: Mapping[str, DType] = {
    "absmax": np.dtype(np.float32),
    "e4m3": np.dtype(np.uint8),
    "e8m0": np.dtype(np.uint8),
    "float16": np.dtype(np.float16),
    "float32": np.dtype(np.float32),
}


@cache
def small_float(rule: str, h: Hyper) -> _core.SmallFloat:
    """A cast's format with what it does of overflow and nans."""
    format = cast(SmallFloat, QUANTIZERS[rule].FORMAT)
    saturates = format.nan is None or h.overflow == "saturate"
    overflow = format.largest + (not saturates)
    away = {"up": 1, "down": -1}.get(h.rounding, 0)
    cut = bool(away) or h.rounding == "toward_zero"
    nan, negative = (
        int(np.asarray(format.code_of_nan(h, np.copysign(np.nan, sign)))) for sign in (1.0, -1.0)
    )
    return _core.SmallFloat(
        format.fraction_bits,
        format.min_exponent,
        format.largest,
        overflow=overflow,
        minus_zero=format.nan != format.sign,
        nan=nan,
        negative_nan=negative,
        own_nan=-1 if format.nan is None else format.nan,
        beyond=format.largest if cut else overflow,
        limit=_NEVER if cut else _HALF,
        away=away,
    )


@cache
def power_of_two(h: Hyper) -> _core.PowerOfTwo:
    """float8_e8m0fnu with what it does of what it has no number for."""
    beyond = LARGEST if h.overflow == "saturate" else NAN
    return _core.PowerOfTwo(
        emax=0,
        cut=_CUTS[h.rounding],
        even=h.rounding == "nearest_even",
        zero=0 if h.zero == "least" else NAN,
        beyond=beyond,
        infinite=beyond,
        negative_nan=h.negative == "nan",
    )


def block_rule(rule: str) -> BlockFormat:
    """The reference's block format of that name."""
    return cast(BlockFormat, QUANTIZERS[rule])


def scale_type(row: Row) -> DType:
    """The dtype of stored scales."""
    return _SCALES[row.scale]


def is_packed(rule: str) -> bool:
    """Whether codes of the format are kept two to a byte: those of four bits in blocks."""
    row = ROWS.get(rule)
    return row is not None and row.grouping == "block" and len(row.elements) == 16


@cache
def block_format(rule: str, h: Hyper) -> _core.BlockFormat:
    """A block format with these choices."""
    format = block_rule(rule)
    row, drawn = format.row, getattr(h, "rounding", "") == "stochastic"
    codes, values = format.ranked
    keys = _keys(values[1:].astype(np.float32)) - 1 if drawn else _nearest_keys(format, h)
    made = _core.BlockFormat(
        np.asarray(row.elements, np.float32), codes.astype(np.uint8), keys, row.scale
    )
    made.signed, made.drawn = row.signed, drawn
    made.largest = row.largest
    choices = (("normalise", "divide"), ("power", "none"), ("four_over_six", "off"))
    made.choose(*(getattr(h, name, default) for name, default in choices))
    made.keeps_absmax = getattr(h, "kept", "") == "absmax"
    made.least = 0.0 if made.keeps_absmax else getattr(h, "least", 0.0)
    if getattr(h, "rounding", "") == "nearest_even":
        _round_by_arithmetic(made, row)
    if row.scale == "e8m0":
        made.powers = _scale_powers(row, h)
    if getattr(h, "zero_scale", "") == "epsilon":
        epsilon = np.float32(2.0**-23).view(np.uint32)
        made.of_zero = int(epsilon if row.scale == "float32" else SMALL_E4M3.nearest(2.0**-3))
    level = getattr(h, "tensor_scale", 1.0)
    made.level_divides = getattr(h, "level", "") == "reciprocal"
    made.level = float(np.float32(1 / level if made.level_divides else level))
    return made


def _round_by_arithmetic(made: _core.BlockFormat, row: Row) -> None:
    """Where elements are small floats or integers, their codes need no search of the table."""
    values = np.asarray(row.elements)
    for rule in _ELEMENTS:
        format = cast(SmallFloat, QUANTIZERS[rule].FORMAT)
        if np.array_equal(numbers(format), values, equal_nan=True):
            largest = format.largest
            made.round_to_floats(
                _core.SmallFloat(
                    format.fraction_bits,
                    format.min_exponent,
                    largest,
                    overflow=largest,
                    minus_zero=True,
                    nan=largest,
                    negative_nan=largest,
                    own_nan=-1,
                    beyond=largest,
                    limit=_HALF,
                    away=0,
                )
            )
    half = values.size // 2
    whole = np.append(np.arange(half), np.arange(-half, 0)) * values[1]
    if np.array_equal(np.where(np.isnan(values), whole, values), whole):
        least = np.nanmin(values) / values[1]
        made.round_to_integers(float(1 / values[1]), float(least), half - 1, values.size - 1)


def grouping(row: Row, shape: tuple[int, ...]) -> _core.Grouping:
    """The groups of a tensor with elements, where they are not blocks of consecutive ones."""
    size = math.prod(shape)
    if row.grouping == "tensor" or not shape:
        return _core.Grouping(1, size, 1, size)
    rows, columns = shape[-2:] if len(shape) > 1 else (1, shape[-1])
    if row.grouping == "row":
        return _core.Grouping(1, columns, 1, columns)
    if row.grouping == "column":
        return _core.Grouping(rows, columns, rows, 1)
    return _core.Grouping(rows, columns, row.block, row.block)


def _scale_powers(row: Row, h: Hyper) -> _core.PowerOfTwo:
    cuts = {
        "ceil": 0,
        # Half a unit of the element's last place carries from here on.
        "even": _ONE - (_ONE >> (row.bits + 1)) - 1,
        "floor": _ONE,
        "rceil": int(np.ldexp(2 * np.frexp(row.largest)[0] - 1, 23)),
    }
    return _core.PowerOfTwo(
        emax=row.emax,
        cut=cuts[h.rule],
        even=False,
        zero=0 if h.zero_block == "least" else BIAS,
        beyond=LARGEST,
        infinite=LARGEST if h.infinity == "largest" else NAN,
        negative_nan=False,
    )


def _keys(x: NDArray[np.float32]) -> NDArray[np.int32]:
    """Integers in the order of the numbers, that of -0 before that of 0."""
    bits = x.view(np.int32)
    return bits ^ (bits >> 31 & 0x7FFFFFFF)


def _nearest_keys(format: BlockFormat, h: Hyper) -> Array:
    """For each threshold the key of the last float32 number that is not rounded up across it."""
    exact = format.thresholds(h)
    below = exact.astype(np.float32)
    below = np.where(below > exact, np.nextafter(below, np.float32(-np.inf)), below)
    at = below.astype(np.float64)
    up = format.nearest(h, at, np.ones(at.shape)) > np.arange(at.size)
    keys: Array = _keys(below) - ((at == exact) & up).astype(np.int32)
    return keys
