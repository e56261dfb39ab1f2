"""Double quantization: codebooks whose absmax are themselves kept as 8-bit codes.

Rule
    code_i, a_b = the codes and the absmax of the codebook's blocks: those of ``block_formats``
    offset = the mean of all a_b
    absmax_code_b, absmax2_c = the codes of a_b - offset in the signed map of ``dynamic_8bit``, and
        the largest magnitude of every 256 of them
    a~_b = value(absmax_code_b) absmax2_c + offset
    x~_i = value(code_i) a~_b

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte; absmax_code: uint8, one per block;
    absmax2: float32, one per 256 blocks, the last may be short; offset: float32, one, of an empty
    tensor none.

Domain
    x holds float32 values.

Choices
    block_size, normalise, ties: those of the codebook; normalise of absmax too.
    map, second_ties: map and ties of ``dynamic_8bit``.

Special cases
    A tensor with a nan or an infinity has it as its offset, and of the codes of its absmax and of
    absmax2 nothing is promised. Where absmax2 is 0, as of a tensor of one block, any code of absmax
    will do. A block far below the mean may be read with an absmax below 0.

Judged
    offset by the interval of what float32 sums in any order may give, absmax2 exactly from the
    kernel's own offset, codes of absmax from both; codes of x from its own absmax. Decoded values
    bit for bit: product and sum of a~ are rounded to float32, then the product of x~.

Sources
    T. Dettmers, A. Pagnoni, A. Holtzman, L. Zettlemoyer, "QLoRA" (arXiv:2305.14314), section 3;
    bitsandbytes/functional.py, quantize_4bit with compress_statistics.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Annotated, ClassVar, Literal

import numpy as np

from truestep.reference import block_formats, declared
from truestep.reference.around import Around
from truestep.reference.block_formats import BlockFormat
from truestep.reference.block_scales import U
from truestep.reference.declared import Count
from truestep.reference.stored_arrays import Stored
from truestep.reference.validation import Array

_LARGEST = float(np.finfo(np.float32).max)
# Blocks that share an absmax2.
SECOND = 256
_UINT8, _FLOAT32 = np.dtype(np.uint8), np.dtype(np.float32)


class Hyper(declared.Hyper):
    """Of the codebook, and of the map of its absmax."""

    block_size: Annotated[int, Count(1, (64, 128, 256, 1024, 4096, 32))] = 64
    map: Literal["fused", "separate"] = "fused"
    normalise: Literal["divide", "reciprocal"] = "divide"
    second_ties: Literal["lower", "upper", "even"] = "lower"
    ties: Literal["lower", "upper", "toward_zero"] = "lower"


@cache
def _dynamic() -> Array:
    """The quantizer of the absmax, imported late: the table that has it has these formats too."""
    return import_module("truestep.reference.quantizers.dynamic_8bit")


def second(h: declared.Hyper) -> declared.Hyper:
    """How the absmax are kept."""
    return _dynamic().Hyper(  # type: ignore[no-any-return]
        signed=True, block_size=SECOND, map=h.map, normalise=h.normalise, ties=h.second_ties
    )


def first(inner: BlockFormat, h: declared.Hyper) -> declared.Hyper:
    """The codebook's own hyperparameters."""
    return inner.Hyper(block_size=h.block_size, normalise=h.normalise, ties=h.ties)


@dataclass(frozen=True)
class NestedFormat(Around):
    """A codebook with its absmax in 8 bits."""

    cut: BlockFormat
    # A block's values depend on the whole tensor's absmax; its extreme is no value of its scale.
    EXACT = INDEPENDENT = STORES = False
    LAWS = ("codes_unchanged_when_scaled_by_a_power_of_two",)
    SCALE, SCALES = "absmax2", True
    Hyper: ClassVar[type[declared.Hyper]] = Hyper

    def __post_init__(self) -> None:
        self.named(f"{self.cut.name}_nested", f"{self.cut.row.about}, absmax in 8 bits", _SHARED)

    @property
    def DIALECTS(self) -> Mapping[str, Mapping[str, str]]:
        """Its choices."""
        of = _dynamic().DIALECTS
        found = {**self.cut.DIALECTS, "map": of["map"], "second_ties": of["ties"]}
        return {name: found[name] for name in Hyper.CHOICES}

    def beside(self, h: declared.Hyper, shape: tuple[int, ...]) -> Mapping[str, Stored]:
        """What is stored beside the codes of a tensor of this shape."""
        blocks = self.cut.groups(h, shape)
        return {
            "absmax_code": Stored(_UINT8, (blocks,), codes=256),
            "absmax2": Stored(_FLOAT32, (-(-blocks // SECOND),)),
            "offset": Stored(_FLOAT32, (min(blocks, 1),)),
        }

    def encode(self, h: declared.Hyper, x: Array) -> tuple[Array, Array, Array, Array]:
        """The codes of x, those of absmax, absmax2 and the offset."""
        code, absmax = self.cut.encode(first(self.cut, h), x)
        offset = np.full(min(absmax.size, 1), mean_of(absmax), np.float32)
        absmax_code, absmax2 = _dynamic().encode(second(h), centred_on(absmax, offset))
        return code, absmax_code, absmax2.astype(np.float32), offset

    def decode(
        self, h: declared.Hyper, code: Array, absmax_code: Array, absmax2: Array, offset: Array
    ) -> Array:
        """The value of every code, exact in float64 for the float32 absmax."""
        with np.errstate(over="ignore", invalid="ignore"):
            spread = _dynamic().decode(second(h), absmax_code, np.asarray(absmax2, np.float64))
            absmax = spread.astype(np.float32) + np.asarray(offset).astype(np.float32)
        return self.cut.decode(first(self.cut, h), code, absmax)

    def intervals(
        self,
        h: declared.Hyper,
        x: Array,
        absmax_code: Array,
        absmax2: Array,
        offset: Array,
        *,
        division_ulps: float,
    ) -> Mapping[str, tuple[Array, ...]]:
        """Of each stored array the least and the largest due, from what is the kernel's own."""
        dynamic, h2, absmax = _dynamic(), second(h), self.absmax(h, x)
        centred = centred_on(absmax, offset)
        known = bool(np.all(np.isfinite(offset)))
        codes = dynamic.admissible(h2, centred, absmax2, division_ulps=division_ulps)
        used = dynamic.per_element(h2, absmax2, absmax_code.shape) != 0
        sizes = dynamic.scales(h2, centred)
        # First what the others are judged by.
        return {
            "offset": means_of(absmax, division_ulps),
            "absmax2": tuple(np.where(known, size, absmax2) for size in sizes),
            "absmax_code": tuple(np.where(known & used, code, absmax_code) for code in codes),
        }

    def admissible(
        self,
        h: declared.Hyper,
        x: Array,
        *_: Array,
        division_ulps: float = 0.5,
        flush_subnormals: bool = False,
    ) -> tuple[Array, Array]:
        """The least and the largest rank: those under the absmax before it was encoded."""
        return self.body(h).admissible(
            first(self.cut, h),
            x,
            self.absmax(h, x).astype(np.float64),
            division_ulps=division_ulps,
            flush_subnormals=flush_subnormals,
        )

    def body(self, h: declared.Hyper) -> BlockFormat:
        """The codebook."""
        return self.cut

    def absmax(self, h: declared.Hyper, x: Array) -> Array:
        """The absmax of every block, float32: choosing a number does not round."""
        return self.cut.scales(first(self.cut, h), x)[0]


def mean_of(absmax: Array) -> float:
    """The mean of all blocks' absmax, 0 of none."""
    return float(np.mean(absmax, dtype=np.float64)) if absmax.size else 0.0


def means_of(absmax: Array, division_ulps: float) -> tuple[Array, Array]:
    """Between which numbers the float32 mean lies, whatever the order of its sum."""
    mean = np.full(min(absmax.size, 1), mean_of(absmax))
    # n - 1 sums of numbers above 0, and the division by n or the product with its reciprocal.
    sums = absmax.size * U / (1 - absmax.size * U)
    slack = (sums + 2 * division_ulps * U + U) * (1 + 2.0**-20) * mean + 2.0**-149 * (mean > 0)
    overflows = mean * absmax.size * (1 + sums) > _LARGEST
    finite = np.isfinite(mean)
    low = np.where(finite, mean - slack, mean)
    return low, np.where(overflows, np.inf, np.where(finite, mean + slack, mean))


def centred_on(absmax: Array, offset: Array) -> Array:
    """The float32 differences, held in float64."""
    with np.errstate(invalid="ignore"):
        made = absmax.astype(np.float32) - np.asarray(offset).astype(np.float32)
    return np.asarray(made, np.float64)


# What both formats have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2]
FORMATS: dict[str, Array] = {
    f"{name}_nested": NestedFormat(block_formats.FORMATS[name]) for name in ("fp4", "nf4")
}
