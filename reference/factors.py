"""Bookkeeping of preconditioners: a square matrix, a factor, for each axis or side of a layer."""

from collections.abc import Sequence
from math import prod

import numpy as np

from truestep.reference.validation import Array

# Any number of examples will do.
EXAMPLES = 8


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Outputs and inputs of a layer whose weights have that shape."""
    return (shape[0] if shape else 1), prod(shape[1:])


def of_inputs(shape: tuple[int, ...]) -> tuple[int, int]:
    """The shape of what every example has at the layer's inputs."""
    return EXAMPLES, matrix_shape(shape)[1]


def of_outputs(shape: tuple[int, ...]) -> tuple[int, int]:
    """The shape of what every example has at the layer's outputs."""
    return EXAMPLES, matrix_shape(shape)[0]


def joined(matrices: Sequence[Array]) -> Array:
    """The matrices' elements, one after another."""
    return np.concatenate([x.reshape(-1) for x in matrices]) if matrices else np.zeros(0)


def separated(flat: Array, sides: Sequence[int]) -> list[Array]:
    """The square matrices with these sides whose elements are joined in flat."""
    out, start = [], 0
    for n in sides:
        out.append(flat[start : start + n * n].reshape(n, n))
        start += n * n
    return out


def gram(g: Array, axis: int) -> Array:
    """G G^T, where G is g unfolded along the axis: its rows are the slices across it."""
    unfolded = np.moveaxis(g, axis, 0).reshape(g.shape[axis], -1)
    return unfolded @ unfolded.T


def along(x: Array, g: Array, axis: int) -> Array:
    """The square matrix x times g along the axis."""
    moved = np.moveaxis(g, axis, 0)
    return np.moveaxis((x @ moved.reshape(len(x), -1)).reshape(moved.shape), 0, axis)
