"""The hyperparameters and steps of a plan's tensors: a row for each combination of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from truestep.reference.declared import Hyper


def hyper_rows(
    hyper: Hyper | Sequence[Hyper], t: int | Sequence[int], count: int
) -> tuple[list[tuple[Hyper, int]], NDArray[np.int32]]:
    """The combinations of a Hyper and a step among count tensors, and which each of them has.

    Hypers are one only if they are the same object: to hash every field of a thousand of them takes
    longer than a step. Raises ValueError where a sequence has another length.
    """
    if isinstance(t, int) and not isinstance(hyper, Sequence):
        return [(hyper, t)], np.zeros(count, np.int32)
    hypers = list(hyper) if isinstance(hyper, Sequence) else [hyper] * count
    steps = [t] * count if isinstance(t, int) else list(t)
    if len(hypers) != count or len(steps) != count:
        raise ValueError(
            f"hyper and t must have {count} entries, got {len(hypers)} and {len(steps)}"
        )
    if len(set(map(id, hypers))) == 1 == len(set(steps)):
        return [(hypers[0], steps[0])], np.zeros(count, np.int32)
    keys = list(zip(map(id, hypers), steps, strict=True))
    distinct = dict(zip(keys, zip(hypers, steps, strict=True), strict=True))
    row_of = dict(zip(distinct, range(count), strict=False))
    rows = np.fromiter(map(row_of.__getitem__, keys), np.int32, count)
    return list(distinct.values()), rows
