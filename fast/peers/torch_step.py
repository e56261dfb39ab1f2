"""One step of an optimizer written for torch, by whichever library: groups in, results out.

Whatever a library keeps by param_group and we keep by tensor (counters, sums) or the other way
round is brought together by parting groups first: see parted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Group, Slot, Stepped


@dataclass(frozen=True, slots=True)
class Steps:
    """How a library's optimizer makes one step.

    build(entries): the optimizer of these param_groups. numbers(group): what a param_group holds
    besides its params. load(hyper, slot): the optimizer's state of one tensor, empty before the
    first step. read(state, hyper, slot): our state, from the library's of that tensor after the
    step. gradient(tensor): the gradient as the library takes it. group_state(entry): state that
    the library keeps in the param_group, which read finds under the same names.
    """

    build: Callable[[list[dict[str, Any]]], Any]
    numbers: Callable[[Group], Mapping[str, Any]]
    load: Callable[[Any, Slot], dict[str, Any]]
    read: Callable[[Mapping[str, Any], Any, Slot], dict[str, Any]]
    gradient: Callable[[Any], Any] = lambda tensor: tensor
    group_state: tuple[str, ...] = ()


def step(torch: Any, groups: Sequence[Group], steps: Steps) -> list[list[Stepped]]:
    """One step() of a fresh optimizer with one param_group per group and the state loaded."""
    entries = []
    for group in groups:
        params = []
        for slot in group.slots:
            param = to_tensor(torch, slot.param)
            param.grad = steps.gradient(to_tensor(torch, slot.grad))
            params.append(param)
        entries.append({"params": params, **steps.numbers(group)})
    if not any(entry["params"] for entry in entries):
        return [[] for _ in groups]
    optimizer = steps.build(entries)
    for entry, group in zip(optimizer.param_groups, groups, strict=True):
        for param, slot in zip(entry["params"], group.slots, strict=True):
            if loaded := steps.load(group.hyper, slot):
                optimizer.state[param].update(loaded)
    optimizer.step()
    results = []
    for entry, group in zip(optimizer.param_groups, groups, strict=True):
        shared = {name: entry[name] for name in steps.group_state}
        results.append(
            [
                Stepped(
                    from_tensor(torch, param),
                    steps.read({**shared, **optimizer.state[param]}, group.hyper, slot),
                )
                for param, slot in zip(entry["params"], group.slots, strict=True)
            ]
        )
    return results


Places = list[list[tuple[int, int]]]


def parted(
    groups: Sequence[Group], key: Callable[[Any, Slot], Hashable]
) -> tuple[list[Group], Places]:
    """The groups parted into such whose slots have one key, and where each slot has gone."""
    parts: list[Group] = []
    places: Places = []
    for group in groups:
        where: dict[Hashable, int] = {}
        places.append([])
        for slot in group.slots:
            index = where.setdefault(key(group.hyper, slot), len(parts))
            if index == len(parts):
                parts.append(Group(group.hyper, []))
            members = parts[index].slots
            places[-1].append((index, len(members)))
            parts[index] = Group(group.hyper, [*members, slot])
    return parts, places


def parted_by_state(groups: Sequence[Group], names: Sequence[str]) -> tuple[list[Group], Places]:
    """The groups parted into such whose slots agree on these numbers of their state."""
    return parted(groups, lambda _, slot: tuple(float(slot.state[name]) for name in names))


def rejoined(results: Sequence[Sequence[Stepped]], places: Places) -> list[list[Stepped]]:
    """The results in the nesting and order that the groups had before they were parted."""
    return [[results[i][j] for i, j in group] for group in places]
