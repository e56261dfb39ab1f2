"""What every rank should have, and whether it has it."""

from collections.abc import Sequence
from typing import TypeVar

from truestep.fast.host.walk import arrays_in

T = TypeVar("T")


class ReplicasDiffer(RuntimeError):
    """Ranks that should hold the same do not."""


def same(replicas: Sequence[T]) -> T:
    """What the first rank has; raises ReplicasDiffer where another has an array of other bits."""
    first, *others = replicas
    held = {path: x.tobytes() for path, x in arrays_in(first)}
    for rank, other in enumerate(others, 1):
        for path, x in arrays_in(other):
            if held[path] != x.tobytes():
                what = "/".join(map(str, path))
                raise ReplicasDiffer(f"ranks 0 and {rank} do not hold the same bits: {what}")
    return first
