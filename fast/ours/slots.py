"""What lies between the protocol's groups of slots and the kernels' lists of tensors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from truestep.fast.ours import storages
from truestep.fast.ours.rule_kernels import RuleKernel, kernel_for
from truestep.fast.ours.storages import Kept
from truestep.fast.protocol import Array, Capability, Group, OptimizerCapability, Slot, Stepped
from truestep.reference.declared import Hyper

# One step on copies of slots that one kernel serves, one Hyper for each.
Step: TypeAlias = Callable[
    [RuleKernel, Sequence[Hyper], Sequence[Slot], Mapping[str, Kept]], list[Stepped]
]


def optimizer_step(
    capability: Capability, groups: Sequence[Group], step: Step
) -> Sequence[Sequence[Stepped]]:
    """One step on every slot of every group, in one call for those of one kernel and storage."""
    if not isinstance(capability, OptimizerCapability):
        raise TypeError(f"capability must be an optimizer's, got {capability!r}")
    alike: dict[
        tuple[int, tuple[tuple[str, Hyper], ...]], tuple[RuleKernel, list[tuple[int, int]]]
    ] = {}
    for i, group in enumerate(groups):
        kernel = kernel_for(capability.rule, group.hyper)
        key = kernel.place, tuple(sorted(group.storage.items()))
        alike.setdefault(key, (kernel, []))[1].extend((i, j) for j in range(len(group.slots)))
    stepped: dict[tuple[int, int], Stepped] = {}
    for (_, storage), (kernel, places) in alike.items():
        hypers = [groups[i].hyper for i, _ in places]
        slots = [groups[i].slots[j] for i, j in places]
        quantizers = {name: how.quantizer for name, how in capability.storage.items()}
        kept = {name: storages.kept(quantizers[name], h) for name, h in storage}
        stepped |= zip(places, step(kernel, hypers, slots, kept), strict=True)
    return [[stepped[i, j] for j in range(len(g.slots))] for i, g in enumerate(groups)]


def state_arrays(kernel: RuleKernel, kept: Mapping[str, Kept]) -> list[str]:
    """The names of the state's arrays that the kernel steps."""
    names: list[str] = []
    for name in kernel.states:
        how = kept.get(name)
        names += [name] if how is None else [f"{name}_code"]
        if how is not None and how.scale:
            names.append(f"{name}_{how.scale}")
    return names


def steps_of(slots: Sequence[Slot]) -> list[int]:
    """The number of the step to make on each."""
    return [int(slot.state["t"]) + 1 for slot in slots]


def numbers_of(kernel: RuleKernel, slots: Sequence[Slot]) -> dict[str, list[float]]:
    """The 0-d numbers of the state and of the inputs, by name one a slot.

    Raises ValueError where a vector has more elements than the kernel has numbers for.
    """
    for vector, (last, *_) in vectors_of(kernel.numbers[::-1]).items():
        longest = max(given(s, vector).size for s in slots)
        if longest > (most := _place(last) + 1):
            raise ValueError(f"{vector} must have at most {most} elements here, got {longest}")
    return {name: [_number(s, name) for s in slots] for name in kernel.numbers}


def vectors_of(numbers: Iterable[str]) -> dict[str, list[str]]:
    """Of the numbers those that are elements of vectors, "r[2]" of "r", by the vector's name."""
    found: dict[str, list[str]] = {}
    for name in numbers:
        if name.endswith("]"):
            found.setdefault(name.partition("[")[0], []).append(name)
    return found


def _place(name: str) -> int:
    return int(name.partition("[")[2].removesuffix("]"))


def _number(slot: Slot, name: str) -> float:
    """0 beyond a vector's end."""
    if not name.endswith("]"):
        return float(given(slot, name))
    vector, place = given(slot, name.partition("[")[0]), _place(name)
    return float(vector[place]) if place < vector.size else 0.0


def given(slot: Slot, name: str) -> Array:
    """What the slot holds of that name: of its state, or besides the gradient."""
    return slot.state[name] if name in slot.state else slot.inputs[name]


def results(
    slots: Sequence[Slot],
    params: Sequence[Array],
    state: Mapping[str, Sequence[Array]],
    numbers: Mapping[str, NDArray[np.float64]],
) -> list[Stepped]:
    """The slots with what a step left; what it does not touch is copied."""
    after = {name: list(arrays) for name, arrays in state.items()}
    for name in slots[0].state.keys() & numbers.keys():
        pairs = zip(numbers[name], slots, strict=True)
        with np.errstate(over="ignore"):
            after[name] = [np.asarray(x, s.state[name].dtype) for x, s in pairs]
    for vector, names in vectors_of(numbers).items():
        table = np.stack([numbers[name] for name in names], axis=1)
        with np.errstate(over="ignore"):
            after[vector] = [
                row[: s.state[vector].size].astype(s.state[vector].dtype)
                for row, s in zip(table, slots, strict=True)
            ]
    for name in slots[0].state.keys() - after.keys() - {"t"}:
        after[name] = [np.array(s.state[name], order="C", copy=True) for s in slots]
    return [
        Stepped(p, {"t": t, **{name: arrays[i] for name, arrays in after.items()}})
        for i, (p, t) in enumerate(zip(params, steps_of(slots), strict=True))
    ]
