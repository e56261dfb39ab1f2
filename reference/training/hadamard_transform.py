"""Random Hadamard transform: rotating blocks so that a large element is spread over its block.

Rule
    y = D H x / sqrt(n)      for every block x of n elements, as a row: y_j = sum_i x_i s_i H_ij
    H_ij = (-1)^(number of bits that i and j have in common), i, j = 0 ... n - 1
    D = the diagonal matrix of the signs s_1 ... s_n

Shapes
    gradients: a list of tensors whose last axes are multiples of n; signs: n numbers that are 1 or
    -1; transformed: shaped like the gradients. Blocks are cut from the last axis.

Domain
    n is a power of two, from 1 on. NVFP4's is 16, with signs that are drawn once and kept.

Choices
    direction: signs first and then H ("forward"), or the transposed, which undoes it, H first and
    then signs ("inverse"). Both operands of a matrix product take the same one, and it cancels.

Special cases
    A nan makes its block nan, an infinity its block infinite or nan. With one element a block is
    multiplied by its sign. Empty tensors stay empty. Raises ValueError where n is no power of two,
    or does not divide a last axis.

Judged
    The transformed tensors by the bounded contract, in which the sum may have any order (a
    product with H, or log2 n butterflies).

Sources
    NVIDIA, "Pretraining Large Language Models with NVFP4" (arXiv:2509.25149); Transformer Engine's
    quantization_ref_nvfp4.py. A. Tseng, J. Chee, Q. Sun, V. Kuleshov, C. De Sa, "QuIP#"
    (arXiv:2402.04396), which takes it before codebooks.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.validation import Array

DIALECTS = {
    "direction": {
        "forward": "multiplied by the signs, then transformed",
        "inverse": "transformed, then multiplied by the signs",
    }
}
INPUTS = {"gradients": "tensors", "signs": "array"}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """The direction."""

    direction: Literal["forward", "inverse"] = "forward"


def hadamard(n: int) -> Array:
    """Sylvester's matrix of n rows, 1 and -1."""
    if n < 1 or n & (n - 1):
        raise ValueError(f"a block's length must be a power of two, got {n}")
    h = np.ones((1, 1))
    while len(h) < n:
        h = np.concatenate([np.concatenate([h, h], 1), np.concatenate([h, -h], 1)])
    return h


def apply(h: Hyper, x: Array, signs: Array) -> Array:
    """The blocks of one tensor, transformed."""
    n = signs.size
    matrix = hadamard(n)
    if not x.shape or x.shape[-1] % n:
        raise ValueError(f"the last axis must be a multiple of {n}, got the shape {x.shape}")
    blocks = x.reshape(-1, n)
    y = (blocks * signs) @ matrix if h.direction == "forward" else (blocks @ matrix) * signs
    return (y * (1 / math.sqrt(n))).reshape(x.shape)


def run(h: Hyper, *, gradients: Sequence[Array], signs: Array) -> dict[str, Array]:
    """All tensors, each block by itself."""
    return {"transformed": [apply(h, x, signs) for x in gradients]}
