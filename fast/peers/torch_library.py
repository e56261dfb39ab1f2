"""Libraries whose optimizers are torch.optim.Optimizers: tables of rows, and one way to step them.

Every torch operation rounds to the parameter's format; functions of the step counter are Python
doubles. Learning rates and other hyperparameters are those of a parameter group, where a scheduler
would set them; the constructor gets what is not a number.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from truestep.fast.peers import torch_step
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.peers.torch_library_row import Named, Row
from truestep.fast.protocol import (
    Array,
    BackendUnavailable,
    Capability,
    Group,
    Slot,
    Stepped,
)

ARITHMETIC = {"bfloat16": "bfloat16", "float16": "float16", "float64": "ieee_float64"}


class TorchLibrary:
    """A library's optimizers, rebuilt from the given state for every step."""

    name: ClassVar[str]
    module: ClassVar[str]
    rows: ClassVar[tuple[Row, ...]]

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._library = importlib.import_module(self.module)
        except Exception as error:
            raise BackendUnavailable(f"{self.module} cannot be imported: {error}") from error
        self._plans = {
            (row.rule, row.prefix + path): replace(row, options={**row.options, **options})
            for row in self.rows
            for path, options in row.paths.items()
        }

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer of the table on each of its paths, in its formats."""
        return tuple(
            Capability(
                kind="optimizer",
                rule=row.rule,
                format=format,
                arithmetic=ARITHMETIC.get(format, row.arithmetic),
                dialect=row.dialect,
                variant=row.prefix + path,
                # None of these libraries knows maximizing.
                fixed={"maximize": False, **row.fixed},
                level=row.level if format == "float32" else "standard",
                reach=row.reach,
                shapes=row.shapes,
                single=row.single,
            )
            for row in self.rows
            for path in row.paths
            for format in row.formats
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer with one parameter group for each group and count."""
        row = self._plans[capability.rule, capability.variant]
        steps = _steps(self._torch, row, getattr(self._library, row.optimizer))
        if row.plain:
            given, groups = groups, [_plain(group) for group in groups]
            return _as_given(given, self._stepped(row, steps, groups))
        return self._stepped(row, steps, groups)

    def _stepped(
        self, row: Row, steps: torch_step.Steps, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        with _silence():
            if row.named:
                return [
                    [_alone(self._torch, group, slot, steps) for slot in group.slots]
                    for group in groups
                ]
            if not row.bridge.group_state:
                return torch_step.step(self._torch, groups, steps)
            parts, places = torch_step.parted_by_state(groups, ("t",))
            return torch_step.rejoined(torch_step.step(self._torch, parts, steps), places)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    # Libraries warn of options that are asked for here on purpose.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _plain(group: Group) -> Group:
    def plain(x: Any) -> Any:
        return np.atleast_1d(x).copy() if isinstance(x, np.ndarray) else x

    return Group(
        group.hyper,
        [
            Slot(
                plain(slot.param),
                plain(slot.grad),
                # State without axes may be a sum of the whole tensor.
                {
                    n: plain(x) if np.shape(x) == slot.param.shape else x
                    for n, x in slot.state.items()
                },
            )
            for slot in group.slots
        ],
    )


def _as_given(groups: Sequence[Group], results: Sequence[Sequence[Stepped]]) -> list[list[Stepped]]:
    """The results in the shapes of these groups."""
    return [
        [
            Stepped(
                new.param.reshape(slot.param.shape),
                {
                    name: x.reshape(slot.state[name].shape) if isinstance(x, np.ndarray) else x
                    for name, x in new.state.items()
                },
            )
            for slot, new in zip(group.slots, stepped, strict=True)
        ]
        for group, stepped in zip(groups, results, strict=True)
    ]


def _alone(torch: Any, group: Group, slot: Slot, steps: torch_step.Steps) -> Stepped:
    return torch_step.step(torch, [Group(group.hyper, [slot])], steps)[0][0]


def _steps(torch: Any, row: Row, optimizer_class: Callable[..., Any]) -> torch_step.Steps:
    def numbers(group: Group) -> Named:
        entries = row.bridge.entries(torch, group.hyper, group.slots[0]) if group.slots else {}
        return {**_numbers(row, group.hyper), **entries}

    return torch_step.Steps(
        build=lambda entries: _built(row, optimizer_class, entries),
        numbers=numbers,
        load=lambda hyper, slot: _loaded(torch, row, hyper, slot),
        read=lambda state, hyper, slot: _fields(torch, row, state, hyper, slot),
        group_state=row.bridge.group_state,
    )


def _numbers(row: Row, hyper: Any) -> Named:
    """The parameter group's numbers."""
    shared: dict[str, list[Any]] = {"lr": [hyper.lr]}
    for ours, theirs in row.numbers.items():
        value = getattr(hyper, ours)
        if ours in row.converted:
            value = row.converted[ours](value)
        shared.setdefault(theirs, []).append(value)
    return {name: tuple(x) if len(x) > 1 else x[0] for name, x in shared.items()}


def _built(row: Row, optimizer_class: Callable[..., Any], entries: list[Named]) -> Any:
    # No constructor sees the rate of a group, which may be 0 where a schedule ends.
    options = {"lr": 1.0, **row.options}
    if row.named:
        [entry] = entries
        [param] = entry.pop("params")
        param.requires_grad_()
        optimizer = optimizer_class([(row.named, param)], **_sized(options, entry, param))
        optimizer.param_groups[0].update(entry)
        return optimizer
    optimizer = optimizer_class(entries, **options)
    if options.get("gradient_release"):
        _release(optimizer)
    return optimizer


def _sized(options: Mapping[str, Any], entry: Named, param: Any) -> Named:
    """The options, and Adam-mini's width for which a tensor has as many heads as it is to have."""
    size = max(param.numel(), 1)
    return {**options, "dim": size, "n_heads": size * entry.pop("heads", 1)}


def _release(optimizer: Any) -> None:
    """Have step() call the step of each parameter, as the hooks do in a backward pass."""
    whole = optimizer.step

    def each() -> None:
        for group in optimizer.param_groups:
            for param in group["params"]:
                whole(param=param)

    optimizer.step = each


def _loaded(torch: Any, row: Row, hyper: Any, slot: Slot) -> Named:
    """The library's state of one tensor; before the first step it has none."""
    if row.bridge.fresh(slot):
        return {}
    state: Named = {row.counter: int(slot.state["t"])} if row.counter else {}
    for ours, theirs in row.state.items():
        array = slot.state[ours]
        # What the reference leaves empty the library does not have.
        if array.size or not slot.param.size:
            state[theirs] = to_tensor(torch, array)
            if ours in row.squeezed and array.ndim > 1:
                state[theirs] = state[theirs].squeeze(row.squeezed[ours])
            if theirs in row.negated:
                state[theirs] = -state[theirs]
    row.bridge.enter(torch, hyper, slot, state)
    return state


def _fields(torch: Any, row: Row, state: Mapping[str, Any], hyper: Any, slot: Slot) -> Named:
    """The reference's state; what the library does not have stays as it was."""
    kept = {name: x.copy() for name, x in slot.state.items() if isinstance(x, np.ndarray)}
    mapped = {
        ours: _shaped(
            torch, -state[theirs] if theirs in row.negated else state[theirs], slot.state[ours]
        )
        for ours, theirs in row.state.items()
        if state.get(theirs) is not None
    }
    t = int(state[row.counter]) if row.counter else slot.state["t"] + 1
    return {**kept, **mapped, "t": t, **row.bridge.leave(torch, hyper, slot, state)}


def _shaped(torch: Any, tensor: Any, like: Array) -> Array:
    array = from_tensor(torch, tensor)
    return array if array.shape == like.shape else array.reshape(like.shape)
