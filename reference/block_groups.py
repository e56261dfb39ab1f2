"""Which elements of a tensor share a scale: blocks, columns, rows, tiles, or all of them."""

import math
from functools import lru_cache

import numpy as np

from truestep.reference.format_rows import Grouping
from truestep.reference.validation import Array


@lru_cache(maxsize=2)
def group_of(grouping: Grouping, size: int, shape: tuple[int, ...]) -> Array:
    """The number of every element's group, in the given shape; not to be written.

    size: elements of a block, or of the side of a tile. One judgement asks for it a dozen times.
    """
    found = _group_of(grouping, size, shape)
    found.setflags(write=False)
    return found


def _group_of(grouping: Grouping, size: int, shape: tuple[int, ...]) -> Array:
    every = math.prod(shape)
    at = np.arange(every).reshape(shape)
    if grouping == "tensor" or not shape:
        return at // max(every, 1)
    if grouping == "block":
        return at // size
    if grouping == "row":
        return at // max(shape[-1], 1)
    rows, columns = shape[-2:] if len(shape) > 1 else (1, shape[-1])
    if grouping == "column":
        return at // max(rows * columns, 1) * columns + at % max(columns, 1)
    down, across = -(-rows // size), -(-columns // size)
    i, j = at // max(columns, 1) % max(rows, 1), at % max(columns, 1)
    return (at // max(rows * columns, 1) * down + i // size) * across + j // size


def arranged(grouping: Grouping, size: int, groups: Array) -> Array:
    """A tensor whose groups are these, one a row; of one group for the tensor, the first's.

    Tiles lie two side by side where they are even in number.
    """
    if grouping == "tile":
        across = 2 - len(groups) % 2
        tiles = groups.reshape(-1, across, size, size).swapaxes(1, 2)
        return tiles.reshape(-1, across * size)
    if grouping == "column":
        return groups.T
    return groups if grouping == "row" else groups.reshape(-1)


def extremes(x: Array, group: Array, count: int, *, signed: bool) -> Array:
    """The largest magnitude of every group; signed: the first element of that magnitude."""
    flat, group = x.reshape(-1), group.reshape(-1)
    largest = np.zeros(count)
    np.maximum.at(largest, group, np.abs(flat))
    if not signed:
        return largest
    at = np.flatnonzero(np.abs(flat) == largest[group])[::-1]
    first = largest.copy()
    first[group[at]] = flat[at]
    return first
