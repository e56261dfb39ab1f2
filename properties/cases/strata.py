"""What cases of all kinds share that visit every stratum of every axis: shapes, and the order."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

# Of every rank, in every form: scalars, single elements, vectors around the widths of registers and
# warps, rows and columns, wide, tall and square matrices, stacks of them, and nothing at all.
SHAPES = (
    (), (1,), (7,), (8,), (33,), (64,), (257,), (0,), (1, 7), (7, 1), (3, 5), (5, 3), (8, 8),
    (2, 17), (17, 2), (2, 3, 4), (3, 1, 5), (2, 3, 2, 2), (1, 4, 1, 3), (2, 1, 3, 2, 2),
)  # fmt: skip

# Long sides of every axis beside short ones: past warps, past tiles of 64 and 128, past the threads
# of a block. What goes along an axis may end at any of them.
SIDES = (
    (3, 1030), (1030, 3), (34, 70), (70, 34), (131, 66), (2, 35, 67), (2, 270, 3), (34, 35, 2, 2),
)  # fmt: skip


def spread(strata: Sequence[Item], count: int, rng: np.random.Generator) -> list[Item]:
    """So many of the strata in random order, each as often as the others."""
    order = [int(i) for _ in range(-(-count // len(strata))) for i in rng.permutation(len(strata))]
    return [strata[i] for i in order[:count]]


def by_row(special: Iterable[tuple[str, object]], rows: int) -> list[dict[str, object]]:
    """Each field at each special value in a row of its own; nothing special in what remains."""
    found = [{field: value} for field, value in special]
    return [*found, *({} for _ in range(rows - len(found)))]
