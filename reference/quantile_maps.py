"""A codebook of 256 values that are made from data: the quantiles of a normalised tensor.

Rule
    q_k = the number of the sorted data with (k + 1/2) / 256 of them below it, k = 0, ..., 255
    s_g = max |x_i| over group g
    code_i = a code whose value is nearest to x_i / s_g;  x~_i = q_code s_g

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte; scale: one per block of x in C
    order, the last of which may be short.

Domain
    That of ``block_formats``. The map is an input, as the numbers are: all_values(h) has the 256
    values in float32, ascending. Of equal ones there are several where the data repeat themselves.

Choices
    sample: which data. Six sorts in turn: normal numbers, their cubes, their squares, normal
    numbers of which three in four are zero, a few numbers that repeat, and numbers of both signs
    from six orders of magnitude; each over the largest of them. From 6 to 11, and so on, the
    quantiles are means of those of chunks of 4096 elements (SRAM-Quantiles).
    least, normalise, ties: those of ``block_formats``.

Special cases
    Of codes with one value any is right. Nothing need be -1, 0 or 1, so that an extreme or a zero
    is read back as the value nearest to it. The others are those of ``block_formats``.

Judged
    The kernel is given the map. Codes by `admissible` under the kernel's own scale, absmax and
    what is read back exactly. How a map is made is not judged: the function is
    ``element_tables.quantiles``, and no library at hand has another.

Sources
    T. Dettmers, M. Lewis, S. Shleifer, L. Zettlemoyer, "8-bit Optimizers via Block-wise
    Quantization" (arXiv:2110.02861), section 2 and appendix F. bitsandbytes, `quantize_blockwise`
    with a `code` of one's own.
"""

from functools import lru_cache
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.block_formats import BlockFormat
from truestep.reference.declared import Count
from truestep.reference.element_tables import quantiles
from truestep.reference.format_rows import Least, Row
from truestep.reference.validation import Array

_NUMBERS = 5 * 4096
_ABOUT = "Quantiles of data (Dettmers et al. 2022), 256 values"


class Quantiles(declared.Hyper):
    """The data, and the choices of codebooks; the default data are normal numbers."""

    block_size: Annotated[int, Count(1, (64, 128, 256, 1024, 4096, 32))] = 64
    least: Least = 0.0
    normalise: Literal["divide", "reciprocal"] = "divide"
    sample: Annotated[int, Count(0, tuple(range(12)))] = 0
    ties: Literal["lower", "upper", "toward_zero"] = "lower"


@lru_cache(maxsize=16)
def quantile_map(sample: int) -> tuple[float, ...]:
    """The map of these data, ascending."""
    rng = np.random.default_rng(sample)
    x = rng.standard_normal(_NUMBERS)
    made = (
        x, x**3, x * x, np.where(rng.random(_NUMBERS) < 0.75, 0.0, x),
        rng.choice(x[:17], _NUMBERS), np.sign(x) * 10.0 ** rng.uniform(-6, 0, _NUMBERS),
    )[sample % 6]  # fmt: skip
    return quantiles(made / np.max(np.abs(made)), chunk=4096 if sample // 6 % 2 else 0)


class QuantileMap(BlockFormat):
    """The format: of every map a codebook of its different values, whose codes may be several."""

    STORES = False
    # Without -1, 0 and 1 extremes and zeros move, and of equal values either code is right.
    LAWS = (
        "codes_unchanged_when_scaled_by_a_power_of_two", "equivariant_under_concatenation",
        "equivariant_under_permutation", "groups_are_independent", "independent_of_layout",
        "monotone_in_a_group", "nearest_value_taken",
    )  # fmt: skip

    def _different(self, h: declared.Hyper) -> tuple[BlockFormat, Array]:
        """The codebook of the map's different values, and the first code of each."""
        values, first = np.unique(quantile_map(h.sample), return_index=True)
        row = Row(_ABOUT, tuple(values.tolist()), "absmax", Quantiles)
        return BlockFormat(self.name, row), np.append(first, len(quantile_map(h.sample)))

    def all_values(self, h: declared.Hyper) -> Array:
        """The values of all codes in their order, before the scale."""
        return np.asarray(quantile_map(h.sample))

    def thresholds(self, h: declared.Hyper) -> Array:
        """Between which numbers the nearest value changes."""
        return self._different(h)[0].thresholds(h)

    def encode(
        self, h: declared.Hyper, x: Array, random: Array | None = None
    ) -> tuple[Array, Array]:
        """The codes of x, of equal values the first, and the scale of every block."""
        different, first = self._different(h)
        code, scale = different.encode(h, x)
        return first[code].astype(np.uint8), scale

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
        """The first and the last code that a faithful kernel may give."""
        different, first = self._different(h)
        ends = different.admissible(
            h, x, scale,
            error=error, division_ulps=division_ulps, flush_subnormals=flush_subnormals,
        )  # fmt: skip
        return first[ends[0]], first[ends[1] + 1] - 1

    def ranks(self, h: declared.Hyper) -> int:
        """How many codes there are."""
        return len(quantile_map(h.sample))

    def rank(self, code: Array) -> Array:
        """The place of every code in the order of values, which is that of codes."""
        return np.asarray(code, np.int64)


def _format() -> QuantileMap:
    made = QuantileMap("quantile_8bit", Row(_ABOUT, quantile_map(0), "absmax", Quantiles))
    object.__setattr__(made, "__name__", f"{__name__}.quantile_8bit")
    object.__setattr__(made, "__doc__", f"quantile_8bit: {__doc__}")
    return made


FORMATS: dict[str, Array] = {"quantile_8bit": _format()}
