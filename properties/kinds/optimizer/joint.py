"""Slots that one evaluation of the reference serves: of an elementwise rule, those of one count."""

from collections.abc import Sequence
from types import EllipsisType

import numpy as np

from truestep.fast.protocol import Slot
from truestep.properties.cases.tensors import PERIOD
from truestep.reference.rules import Optimizer
from truestep.reference.validation import Array


def together(rule: Optimizer, slots: Sequence[Slot]) -> list[list[int]]:
    """The places of slots that may be joined, in lists."""
    if not rule.FACTS.elementwise:
        return [[j] for j in range(len(slots))]
    by_count: dict[int, list[int]] = {}
    for j, slot in enumerate(slots):
        by_count.setdefault(int(slot.state["t"]), []).append(j)
    return list(by_count.values())


def flat(arrays: Sequence[Array]) -> Array:
    """The elements of all arrays in one row; a single array as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate([x.reshape(-1) for x in arrays])


def joined(slots: Sequence[Slot]) -> Slot:
    """One slot with the elements of all; they agree on their counts."""
    first = slots[0]
    state = {
        name: flat([slot.state[name] for slot in slots]) if isinstance(x, np.ndarray) else x
        for name, x in first.state.items()
    }
    inputs = {name: flat([slot.inputs[name] for slot in slots]) for name in first.inputs}
    return Slot(flat([s.param for s in slots]), flat([s.grad for s in slots]), state, inputs)


def tile(rule: Optimizer, slot: Slot) -> tuple[Slot, Array | EllipsisType]:
    """The part of a slot that repeats, and which of its elements stands in every place.

    The whole slot, and all of it, where the rule is not elementwise or nothing repeats.
    """
    size, shape = slot.param.size, slot.param.shape
    tensors = {"p": slot.param, "g": slot.grad, **slot.state, **slot.inputs}
    arrays = {name: x for name, x in tensors.items() if isinstance(x, np.ndarray)}
    alike = rule.FACTS.elementwise and all(x.shape == shape for x in arrays.values())
    if size <= 2 * PERIOD or not alike:
        return slot, ...
    rows = {name: x.reshape(-1) for name, x in arrays.items()}
    if any(x[PERIOD:].tobytes() != x[:-PERIOD].tobytes() for x in rows.values()):
        return slot, ...
    first = {name: x[:PERIOD] for name, x in rows.items()}
    state = {name: first.get(name, x) for name, x in slot.state.items()}
    inputs = {name: first[name] for name in slot.inputs}
    return Slot(first["p"], first["g"], state, inputs), np.arange(size).reshape(shape) % PERIOD


def parts(x: Array, slots: Sequence[Slot]) -> list[Array]:
    """What each slot has of an array with the elements of all."""
    if len(slots) == 1:
        return [x]
    ends = np.cumsum([slot.param.size for slot in slots])
    return [
        x[end - slot.param.size : end].reshape(slot.param.shape)
        for end, slot in zip(ends, slots, strict=True)
    ]


def located(
    index: tuple[int, ...] | None, slots: Sequence[Slot]
) -> tuple[int, tuple[int, ...] | None]:
    """The slot that an index of the joined elements lies in, and the index there."""
    if index is None or len(slots) == 1:
        return 0, index
    ends = np.cumsum([slot.param.size for slot in slots])
    k = int(np.searchsorted(ends, index[0], side="right"))
    shape = slots[k].param.shape
    within = np.unravel_index(index[0] - int(ends[k]) + slots[k].param.size, shape)
    return k, tuple(int(i) for i in within)
