"""A backend whose variants misbehave once the step counter passes 2^24, each in its own way.

Below that count every variant is a correct SGD, so that all checks but one must pass.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from plain_sgd import stepped

from truestep.fast.protocol import Capability, Group, Stepped

Results = list[list[Stepped]]
TRIGGER = 2**24 - 1


def _changed(results: Results, **fields: Callable[[Stepped], Any]) -> Results:
    return [
        [
            dataclasses.replace(new, **{name: make(new) for name, make in fields.items()})
            for new in row
        ]
        for row in results
    ]


def _hang(groups: Sequence[Group], results: Results) -> Results:
    while True:
        time.sleep(1)


def _segfault(groups: Sequence[Group], results: Results) -> Results:
    ctypes.string_at(0)
    return results


def _exit(groups: Sequence[Group], results: Results) -> Results:
    os._exit(7)


def _raise(groups: Sequence[Group], results: Results) -> Results:
    raise ZeroDivisionError("no counter beyond 2^24")


def _write_input(groups: Sequence[Group], results: Results) -> Results:
    groups[0].slots[0].grad[...] = 1
    return results


def _print(groups: Sequence[Group], results: Results) -> Results:
    print("kernel says hello")
    os.write(1, b"kernel writes to descriptor one\n")
    sys.stdout.flush()
    return results


MISBEHAVIOUR: dict[str, Callable[[Sequence[Group], Results], Results]] = {
    "counts_wrong": lambda _, r: _changed(r, state=lambda new: {**new.state, "t": 2**24}),
    "dtype": lambda _, r: _changed(r, param=lambda new: new.param.astype(np.float64)),
    "exit": _exit,
    "hang": _hang,
    "loses_state": lambda _, r: _changed(r, state=lambda new: {"t": new.state["t"]}),
    "not_arrays": lambda _, r: _changed(r, param=lambda new: new.param.tolist()),
    "prints": _print,
    "raises": _raise,
    "segfault": _segfault,
    "shape": lambda _, r: _changed(r, param=lambda new: new.param[..., None]),
    "too_few": lambda _, r: [row[1:] for row in r],
    "writes_input": _write_input,
}


class Backend:
    """One capability per misbehaviour."""

    name = "misbehaving"

    def capabilities(self) -> Sequence[Capability]:
        return [Capability("optimizer", "sgd", variant=variant) for variant in MISBEHAVIOUR]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        results = stepped(groups)
        if max(int(slot.state["t"]) for group in groups for slot in group.slots) >= TRIGGER:
            return MISBEHAVIOUR[capability.variant](groups, results)
        return results


class Stale:
    """Leaves the memory of the call before where a gradient is nan: no two results alike."""

    name = "stale"

    def __init__(self) -> None:
        self.before = 0.0

    def capabilities(self) -> Sequence[Capability]:
        return [Capability("optimizer", "sgd")]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        results = stepped(groups)
        for group, row in zip(groups, results, strict=True):
            for slot, new in zip(group.slots, row, strict=True):
                new.param[np.isnan(slot.grad)] = self.before
                self.before += 1.0
        return results


class DiesOnImport:
    """Kills its process as soon as it is made."""

    def __init__(self) -> None:
        os._exit(3)


class Healthy(Stale):
    """A correct SGD."""

    name = "healthy"

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        return stepped(groups)


class Fragile(Healthy):
    """Ends its process whenever a count is beyond two."""

    name = "fragile"

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        if any(slot.state["t"] > 2 for group in groups for slot in group.slots):
            os._exit(7)
        return super().optimizer_step(capability, groups)
