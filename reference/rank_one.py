"""Codebooks whose scale is rank-1: of a matrix, by row and by column.

Rule
    r_k,i = the largest magnitude among the elements whose k-th index is i, for every axis k
    s_ij.. = min_k r_k,i_k
    code = the code of the value nearest to x_ij.. / s_ij..; x~_ij.. = value(code) s_ij..

Shapes
    scale: r of the first axis, then of the second, and so on: m + n numbers of an m x n matrix. A
    vector has an absmax for every block of 128 elements, as in ``block_formats``, a scalar its own.

Choices, Special cases, Judged
    Those of ``block_formats``. A row with a nan is nan; of one with an infinity its columns decide.

Sources
    B. Li, J. Chen, J. Zhu, "Memory Efficient Optimizers with 4-bit States" (arXiv:2309.01507),
    section 4.2: rank-1 normalization, with the linear map for second moments. thu-ml/low-bit-
    optimizers, lpmm/functional.py, scale_type "rank1".
"""

import numpy as np

from truestep.reference import declared, element_tables
from truestep.reference.block_formats import BlockFormat
from truestep.reference.format_rows import Row, WholeCodebook
from truestep.reference.validation import Array


class RankOne(BlockFormat):
    """A codebook with an absmax for every index of every axis."""

    INDEPENDENT = False
    # Rows and columns cross: no element has a group of its own, whose others it could be among.
    LAWS = (
        "codes_unchanged_when_scaled_by_a_power_of_two", "extreme_kept", "idempotent",
        "independent_of_layout", "nearest_value_taken", "odd", "zero_stays_zero",
    )  # fmt: skip

    def groups(self, h: declared.Hyper, shape: tuple[int, ...]) -> int:
        """How many scales there are."""
        return sum(shape) if len(shape) > 1 else super().groups(h, shape)

    def extremes(self, h: declared.Hyper, x: Array) -> Array:
        """The largest magnitudes, axis after axis."""
        if x.ndim < 2:
            return super().extremes(h, x)
        others = (tuple(j for j in range(x.ndim) if j != k) for k in range(x.ndim))
        return np.concatenate([np.max(np.abs(x), axis=axes, initial=0.0) for axes in others])

    def per_element(self, h: declared.Hyper, scale: Array, shape: tuple[int, ...]) -> Array:
        """The least scale of every element's indices, in the given shape."""
        if len(shape) < 2:
            return super().per_element(h, scale, shape)
        ends = np.cumsum(shape)
        least = np.asarray(scale)[ends[-1] - shape[-1] :]
        for n, end in zip(shape[-2::-1], ends[-2::-1], strict=True):
            rows = np.asarray(scale)[end - n : end]
            least = np.minimum(rows.reshape(-1, *(1 for _ in least.shape)), least)
        return least


def _format(name: str, about: str, elements: tuple[float, ...]) -> RankOne:
    values = element_tables.float32(elements)
    return RankOne(name, Row(f"{about}, rank-1", values, "absmax", WholeCodebook, block=128))


FORMATS = {
    f"{name}_rank1": _format(f"{name}_rank1", f"{about} (Li et al. 2023)", elements)
    for name, about, elements in (
        ("dynamic_4bit", "Dynamic exponent", element_tables.DYNAMIC_4BIT),
        ("linear_4bit", "Linear without zero", element_tables.LINEAR_4BIT),
    )
}
