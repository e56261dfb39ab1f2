"""Groups of tensors parted into smaller ones, and results brought back into their places.

Whatever a library keeps by parameter group and we keep by tensor (counters, sums) or the other way
round is brought together by parting groups first.
"""

import dataclasses
from collections.abc import Callable, Hashable, Sequence

from truestep.fast.protocol import Group, Slot, Stepped
from truestep.reference.declared import Hyper

# Of every slot of every group: its part, and its place in it.
Places = list[list[tuple[int, int]]]


def parted(
    groups: Sequence[Group], key: Callable[[Hyper, Slot], Hashable]
) -> tuple[list[Group], Places]:
    """The groups parted into such whose slots have one key, and where each slot has gone."""
    parts: list[tuple[Group, list[Slot]]] = []
    places: Places = []
    for group in groups:
        where: dict[Hashable, int] = {}
        places.append([])
        for slot in group.slots:
            index = where.setdefault(key(group.hyper, slot), len(parts))
            if index == len(parts):
                parts.append((group, []))
            places[-1].append((index, len(parts[index][1])))
            parts[index][1].append(slot)
    return [dataclasses.replace(group, slots=slots) for group, slots in parts], places


def rejoined(results: Sequence[Sequence[Stepped]], places: Places) -> list[list[Stepped]]:
    """The results in the nesting and order that the groups had before they were parted."""
    return [[results[i][j] for i, j in group] for group in places]
