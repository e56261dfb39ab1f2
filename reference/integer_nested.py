"""Double quantization in integers: codebooks whose absmax are kept as 8-bit integers and a factor.

Rule
    code_i, a_b = the codes and the absmax of the codebook's blocks: those of ``block_formats``
    offset = the mean of all a_b
    factor_c = 128 / max |a_b - offset| over every second_size of them
    absmax_code_b = round((a_b - offset) factor_c), within -128 and 127
    a~_b = absmax_code_b / factor_c + offset
    x~_i = value(code_i) a~_b

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte; absmax_code: int8, one per block;
    factor: float32, one per second_size blocks, the last may be short; offset: float32, one, of an
    empty tensor none.

Domain
    x holds float32 values.

Choices
    block_size, normalise, ties: those of the codebook. second_size: blocks that share a factor.
    table: the published values, or those in four decimals.

Special cases
    The largest of a_b - offset loses 1/128 of itself, having no code of its own. Where all are 0,
    as of a tensor of one block, the factor is infinite and any code of absmax will do; where it is
    beyond half of float32's range the factor may be 0, and its blocks nan. Of a tensor with a nan
    or an infinity nothing is promised of the codes of its absmax and of factors. A block far below
    the mean may be read with an absmax below 0.

Judged
    offset by the interval of what float32 sums in any order may give, factors from the kernel's own
    offset, codes of absmax from both; codes of x from its own absmax. Decoded values bit for bit:
    quotient and sum of a~ are rounded to float32, then the product of x~.

Sources
    T. Dettmers, A. Pagnoni, A. Holtzman, L. Zettlemoyer, "QLoRA" (arXiv:2305.14314), section 3, for
    the codebook and the offset; torchao, nf4_tensor.py, double_quantize_scalers, which its
    documentation and torchtune's take for QLoRA's.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from truestep.reference import block_formats, declared, element_tables
from truestep.reference.block_formats import BlockFormat
from truestep.reference.block_scales import OWN, U
from truestep.reference.declared import Count
from truestep.reference.nested_formats import NestedFormat, centred_on, first, mean_of, means_of
from truestep.reference.rules import Departure
from truestep.reference.stored_arrays import Stored
from truestep.reference.validation import Array

_INT8, _FLOAT32 = np.dtype(np.int8), np.dtype(np.float32)
# What the largest distance from the mean becomes, and the largest integer.
_WHOLE, _TOP = 128.0, 127.0
_LARGEST = float(np.finfo(np.float32).max)
_TABLES = {
    "published": "the values of the paper",
    "four_decimals": Departure("the values of the paper, rounded to four decimals"),
}


class Hyper(declared.Hyper):
    """Of the codebook, and how many blocks share a factor."""

    block_size: Annotated[int, Count(1, (64, 128, 256, 1024, 4096, 32))] = 64
    second_size: Annotated[int, Count(1, (256, 4, 64))] = 256
    normalise: Literal["divide", "reciprocal"] = "divide"
    table: Literal["published", "four_decimals"] = "published"
    ties: Literal["lower", "upper", "toward_zero"] = "lower"


@dataclass(frozen=True)
class IntegerNested(NestedFormat):
    """A codebook with its absmax as integers around their mean."""

    LAWS = ("independent_of_layout",)
    SCALE, SCALES = "factor", False
    Hyper: ClassVar[type[declared.Hyper]] = Hyper

    def __post_init__(self) -> None:
        about = f"{self.cut.row.about}, absmax in 8-bit integers"
        self.named(f"{self.cut.name}_integer_nested", about, _SHARED)

    @property
    def DIALECTS(self) -> Mapping[str, Mapping[str, str]]:
        """Its choices, which are the codebook's."""
        found = {**self.cut.DIALECTS, "table": _TABLES}
        return {name: found[name] for name in Hyper.CHOICES}

    def body(self, h: declared.Hyper) -> BlockFormat:
        """The codebook with its values as they are, or rounded."""
        if h.table == "published":
            return self.cut
        rounded = element_tables.float32(tuple(round(x, 4) for x in self.cut.row.elements))
        return BlockFormat(self.cut.name, dataclasses.replace(self.cut.row, elements=rounded))

    def all_values(self, h: declared.Hyper) -> Array:
        """The values of all codes in their order, before the scale."""
        return self.body(h).all_values(h)

    def thresholds(self, h: declared.Hyper) -> Array:
        """Between which numbers the nearest value changes."""
        return self.body(h).thresholds(h)

    def beside(self, h: declared.Hyper, shape: tuple[int, ...]) -> Mapping[str, Stored]:
        """What is stored beside the codes of a tensor of this shape."""
        blocks = self.cut.groups(h, shape)
        return {
            "absmax_code": Stored(_INT8, (blocks,), codes=256, least=-128),
            "factor": Stored(_FLOAT32, (-(-blocks // h.second_size),)),
            "offset": Stored(_FLOAT32, (min(blocks, 1),)),
        }

    def encode(self, h: declared.Hyper, x: Array) -> tuple[Array, Array, Array, Array]:
        """The codes of x, those of absmax, the factors and the offset."""
        code, absmax = self.body(h).encode(first(self.cut, h), x)
        offset = np.full(min(absmax.size, 1), mean_of(absmax), np.float32)
        centred = centred_on(absmax, offset)
        with np.errstate(invalid="ignore", over="ignore"):
            factor = self._factors(h, centred).astype(np.float32)
            q = centred * self._of_blocks(h, factor, centred.size)
        whole = np.clip(np.rint(np.where(np.isfinite(q), q, 0.0)), -_WHOLE, _TOP)
        return code, whole.astype(np.int8), factor, offset

    def decode(
        self, h: declared.Hyper, code: Array, absmax_code: Array, factor: Array, offset: Array
    ) -> Array:
        """The value of every code, exact in float64 for the float32 absmax."""
        of = self._of_blocks(h, np.asarray(factor, np.float64), absmax_code.size)
        with np.errstate(all="ignore"):
            spread = (absmax_code / of).astype(np.float32)
            absmax = spread + np.asarray(offset).astype(np.float32)
        return self.body(h).decode(first(self.cut, h), code, absmax)

    def intervals(
        self,
        h: declared.Hyper,
        x: Array,
        absmax_code: Array,
        factor: Array,
        offset: Array,
        *,
        division_ulps: float,
    ) -> Mapping[str, tuple[Array, ...]]:
        """Of each stored array the least and the largest due, from what is the kernel's own."""
        absmax = self.absmax(h, x)
        centred, known = centred_on(absmax, offset), bool(np.all(np.isfinite(offset)))
        due, off = self._factors(h, centred), (2 * max(division_ulps, 0.5) - 1) * U
        with np.errstate(over="ignore"):
            least, most = ((due * (1 + e)).astype(np.float32) for e in (-off, off))
        # Where twice the distance overflows, so may the quotient of 256 by it.
        least = np.where(due < 2 * _WHOLE / _LARGEST, 0.0, least)
        own = self._of_blocks(h, factor, centred.size)
        with np.errstate(invalid="ignore", over="ignore"):
            q = centred * own
            ends = [np.clip(np.rint(q + e * np.abs(q)), -_WHOLE, _TOP) for e in (-U - OWN, U + OWN)]
        judged = known & np.isfinite(q) & np.isfinite(own)
        # First what the others are judged by.
        return {
            "offset": means_of(absmax, division_ulps),
            "factor": tuple(np.where(known, end, factor) for end in (least, most)),
            "absmax_code": tuple(np.where(judged, end, absmax_code) for end in ends),
        }

    def _of_blocks(self, h: declared.Hyper, factor: Array, blocks: int) -> Array:
        """The factor of every block."""
        return np.asarray(factor)[np.arange(blocks) // h.second_size]

    def _factors(self, h: declared.Hyper, centred: Array) -> Array:
        """128 over the largest distance from the mean, before it is rounded to float32."""
        largest = np.zeros(-(-centred.size // h.second_size))
        with np.errstate(divide="ignore", invalid="ignore"):
            np.maximum.at(largest, np.arange(centred.size) // h.second_size, np.abs(centred))
            return _WHOLE / largest


# What follows the first line of every one's docstring.
_SHARED = (__doc__ or "").partition("\n\n")[2]
FORMATS: dict[str, Array] = {"nf4_integer_nested": IntegerNested(block_formats.FORMATS["nf4"])}
