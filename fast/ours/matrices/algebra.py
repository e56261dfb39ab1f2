"""Products along axes, norms and decompositions of float32 arrays."""

from collections.abc import Sequence

import numpy as np

from truestep.fast.protocol import Array


def squares(x: Array) -> float:
    """The sum of squares, added in float64."""
    flat = x.reshape(-1)
    return float(np.einsum("i,i->", flat, flat, dtype=np.float64))


def inner(x: Array, y: Array) -> float:
    """The sum of products of elements, added in float64."""
    return float(np.einsum("i,i->", x.reshape(-1), y.reshape(-1), dtype=np.float64))


def length(x: Array) -> float:
    """The Euclidean norm of all elements."""
    return float(np.sqrt(squares(x)))


def lengths(x: Array, axis: int) -> Array:
    """The float64 norms of the columns (axis 0) or rows (axis 1), as a matrix."""
    squares = np.einsum("ij,ij->j" if axis == 0 else "ij,ij->i", x, x, dtype=np.float64)
    return np.expand_dims(np.sqrt(squares), axis)


def unfolded(x: Array, axis: int) -> Array:
    """The matrix whose rows are the slices of x across the axis."""
    return np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)


def gram(x: Array, axis: int) -> Array:
    """The products of the slices across the axis with each other."""
    matrix = unfolded(x, axis)
    return matrix @ matrix.T


def along(matrix: Array, x: Array, axis: int) -> Array:
    """The square matrix times x along the axis."""
    moved = np.moveaxis(x, axis, 0)
    return np.moveaxis((matrix @ unfolded(x, axis)).reshape(moved.shape), 0, axis)


def joined(matrices: Sequence[Array]) -> Array:
    """The matrices' elements, one after another."""
    return np.concatenate([x.reshape(-1) for x in matrices] or [np.zeros(0, np.float32)])


def separated(flat: Array, sides: Sequence[int]) -> list[Array]:
    """The square matrices with these sides whose elements are joined in flat."""
    found, start = [], 0
    for n in sides:
        found.append(flat[start : start + n * n].reshape(n, n))
        start += n * n
    return found


def is_finite(x: Array) -> bool:
    """Whether no element is nan or infinite."""
    return bool(np.all(np.isfinite(x)))
