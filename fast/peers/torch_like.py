"""Libraries whose optimizers are torch.optim.Optimizers: a table of rows, and one way to step them.

A library is a folder whose backend.py names it and says which optimizer computes which rule, in
files of rows where these are many. Every step is made by a fresh optimizer that has been handed the
given state.

Where a row says nothing else, every torch operation rounds to the parameter's format, functions of
the step counter are Python doubles, and hyperparameters are those of a parameter group, where a
scheduler would set them; the constructor gets what is not a number.

Over 300 lines: a row, its bridge to a state dict and the step of both change together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from truestep.fast.peers import parting, torch_lives
from truestep.fast.peers.torch_lives import Life
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import (
    FARTHEST,
    Array,
    Capability,
    Fixed,
    Group,
    Level,
    Observation,
    OptimizerCapability,
    Program,
    Shapes,
    Slot,
    Stepped,
    Storage,
)
from truestep.reference.declared import Hyper

# What a library keeps by name: tensors, numbers, objects of its own.
Named = dict[str, Any]

# Arithmetic by format: of element operations, and with norms or dots that torch adds in a few
# lanes, one element after another.
IN_FLOAT32: Mapping[str, str] = {"float32": "ieee_float32"}
SEQUENTIAL: Mapping[str, str] = {"float32": "sequential_float32"}
ELEMENTS: Mapping[str, str] = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "ieee_float32",
    "float64": "ieee_float64",
}
# Every tensor of a group in lists, and one tensor after the other.
LISTS: Mapping[str, Mapping[str, object]] = {
    "foreach": {"foreach": True},
    "single": {"foreach": False},
}
# Names that many libraries have in common.
BETAS = {"beta1": "betas", "beta2": "betas"}
DECAY = {"weight_decay": "weight_decay"}
EPS = {"eps": "eps"}
FACTORED = {"r": "exp_avg_sq_row", "c": "exp_avg_sq_col", "v": "exp_avg_sq"}
INSTABILITY = {"instability_r": "exp_avg_res_row", "instability_c": "exp_avg_res_col"}
MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
SIDES = {"r": -1, "c": -2}


def begins(hyper: Hyper, slot: Slot) -> bool:
    """Before the first step."""
    return bool(slot.state["t"] == 0)


def never(hyper: Hyper, slot: Slot) -> bool:
    """At no step."""
    return False


def each(hyper: Hyper, slot: Slot) -> Hashable:
    """A key that no other tensor has."""
    return object()


@dataclass(frozen=True, slots=True)
class Bridge:
    """What a library keeps in another form than the reference, carried across and back.

    entries(hyper, slot): of the parameter group, besides renamed hyperparameters. enter(hyper,
    slot, group, state) completes the library's state of a tensor, and its group. leave, with the
    same arguments: those of the reference's fields that the row does not map. gradient(tensor): the
    gradient as the library takes it.
    """

    entries: Callable[[Hyper, Slot], Named] = lambda hyper, slot: {}
    enter: Callable[[Hyper, Slot, Named, Named], None] = lambda hyper, slot, group, state: None
    leave: Callable[[Hyper, Slot, Named, Named], Named] = lambda hyper, slot, group, state: {}
    gradient: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor


def _drop_buffer(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    if hyper.momentum == 0:
        state.clear()


# No buffer without momentum.
BUFFER = Bridge(enter=_drop_buffer)


@dataclass(frozen=True, slots=True)
class Row:
    """One optimizer of a library as an implementation of a reference rule.

    In state and numbers, "-" stands before the name of what the library keeps the negative of.

    state: the reference's fields and the library's names of tensors; what the reference leaves
    empty the library does not have. numbers: the reference's hyperparameters, besides lr, and the
    library's names; several that share one form a tuple. prefix: of the variants' names. options:
    constructor arguments. paths: the ways to step, with the arguments of each. arithmetic: by
    format. departures, fixed, level, reach, shapes, single, storage: see Capability; level is that
    of float32. counter: name of the number of steps in a tensor's state, "" where there is none.
    shared: the reference's fields that are numbers of a parameter group, t among them: tensors that
    differ in them are in groups of their own. key: what else parts a group. apart: whether every
    group has an optimizer of its own. fresh: where the library is to make the state itself.
    squeezed: axes of size 1 that the library leaves out. module: name of the parameter, for
    optimizers that are built of named ones. given: as what it is handed tensors, where it does not
    take them all: see the findings. bridge: for the rest.
    """

    rule: str
    optimizer: str
    state: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    paths: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: {"single": {}})
    arithmetic: Mapping[str, str | tuple[str, ...]] = field(default_factory=lambda: IN_FLOAT32)
    counter: str = "step"
    shared: Mapping[str, str] = field(default_factory=dict)
    key: Callable[[Hyper, Slot], Hashable] | None = None
    apart: bool = False
    fresh: Callable[[Hyper, Slot], bool] = begins
    squeezed: Mapping[str, int] = field(default_factory=dict)
    module: str = ""
    given: Literal["views", "copies", "vectors"] = "views"
    bridge: Bridge = field(default_factory=Bridge)
    level: Level = "smoke"
    reach: int = FARTHEST
    shapes: Shapes = "any"
    single: bool = False
    storage: Mapping[str, Storage] = field(default_factory=dict)
    departures: tuple[str, ...] = ()

    def but(
        self,
        prefix: str,
        dialect: Mapping[str, str] | None = None,
        options: Mapping[str, object] | None = None,
        *,
        fixed: Mapping[str, Fixed] | None = None,
    ) -> Row:
        """A row of another prefix, with these choices and arguments besides its own.

        fixed: in the place of its own.
        """
        return replace(
            self,
            prefix=prefix,
            dialect={**self.dialect, **(dialect or {})},
            options={**self.options, **(options or {})},
            fixed=self.fixed if fixed is None else fixed,
        )


class Backend:
    """A library's optimizers, rebuilt from the given state for every step."""

    name: ClassVar[str]
    library: ClassVar[ModuleType]
    rows: ClassVar[tuple[Row, ...]]
    lives: ClassVar[tuple[Life, ...]] = ()
    # Most libraries do not know maximizing.
    fixed: ClassVar[Mapping[str, Fixed]] = {"maximize": False}
    # Whether the library warns of what it is asked for here on purpose.
    warns: ClassVar[bool] = False

    def __init__(self) -> None:
        self._plans = {
            (row.rule, row.prefix + path): replace(row, options={**row.options, **options})
            for row in self.rows
            for path, options in row.paths.items()
        }

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer of the table on each of its paths, in its formats; and lives."""
        steps = tuple(
            OptimizerCapability(
                rule=row.rule,
                format=format,
                arithmetic=arithmetic,
                dialect=row.dialect,
                variant=row.prefix + path,
                fixed={**self.fixed, **row.fixed},
                level=row.level if format == "float32" else "standard",
                reach=row.reach,
                shapes=row.shapes,
                single=row.single,
                storage=row.storage,
                departures=row.departures,
            )
            for row in self.rows
            for path in row.paths
            for format, arithmetic in row.arithmetic.items()
        )
        return (*steps, *(life.capability for life in self.lives))

    def lived(self, capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
        """What is seen in lives of one class."""
        return torch_lives.lived(self.lives, capability, programs)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of fresh optimizers, with the state loaded."""
        row = self._plans[capability.rule, capability.variant]
        if not self.warns:
            return self._given(row, groups)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._given(row, groups)

    def _given(self, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
        if row.given == "views":
            return self._parted(row, groups)
        copies = [_copied(group, vectors=row.given == "vectors") for group in groups]
        return _as_given(groups, self._parted(row, copies))

    def _parted(self, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
        if not (row.key or row.shared or row.apart):
            return self.stepped(row, groups)
        parts, places = parting.parted(groups, lambda hyper, slot: _key(row, hyper, slot))
        units = [[part] for part in parts] if row.apart else [parts]
        return parting.rejoined([x for unit in units for x in self.stepped(row, unit)], places)

    def stepped(self, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
        """One step() of one optimizer with one param_group per group."""
        entries = [self._entry(row, group) for group in groups]
        slots = [(group.hyper, slot) for group in groups for slot in group.slots]
        if not slots:
            return [[] for _ in groups]
        optimizer = self.build(row, entries)
        row = self.named(row, optimizer)
        held = [(entry, param) for entry in optimizer.param_groups for param in entry["params"]]
        for (hyper, slot), (entry, param) in zip(slots, held, strict=True):
            if not row.fresh(hyper, slot):
                self.load(row, hyper, slot, entry, self.state_of(optimizer, param))
        self.step(row, optimizer, slots)
        states = [self.state_of(optimizer, param) for _, param in held]
        results = (
            Stepped(self.array(param), self.read(row, hyper, slot, entry, state))
            for (hyper, slot), (entry, param), state in zip(slots, held, states, strict=True)
        )
        return [[next(results) for _ in group.slots] for group in groups]

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """The optimizer of these param_groups."""
        # No constructor sees the rate of a group, which may be 0 where a schedule ends.
        return getattr(self.library, row.optimizer)(entries, **{"lr": 1.0, **row.options})

    def step(
        self, row: Row, optimizer: torch.optim.Optimizer, slots: Sequence[tuple[Hyper, Slot]]
    ) -> None:
        """The step itself."""
        optimizer.step()

    def parameter(self, array: Array) -> torch.Tensor:
        """The tensor that is optimized."""
        return to_tensor(array)

    def parameters(self, row: Row, group: Group) -> list[torch.Tensor]:
        """The tensors of a group, with their gradients."""
        params = []
        for slot in group.slots:
            param = self.parameter(slot.param)
            param.grad = row.bridge.gradient(to_tensor(slot.grad))
            params.append(param)
        return params

    def array(self, param: torch.Tensor) -> Array:
        """What such a tensor holds."""
        return from_tensor(param)

    def named(self, row: Row, optimizer: torch.optim.Optimizer) -> Row:
        """The row with the names that this optimizer uses."""
        return row

    def state_of(self, optimizer: torch.optim.Optimizer, param: torch.Tensor) -> Named:
        """The library's state of a tensor."""
        state: Named = optimizer.state[param]
        return state

    def count(self, t: int) -> object:
        """The number of steps made as the library keeps it."""
        return int(t)

    def _entry(self, row: Row, group: Group) -> Named:
        params = self.parameters(row, group)
        entries = row.bridge.entries(group.hyper, group.slots[0]) if group.slots else {}
        return {"params": params, **numbers(row, group.hyper), **entries}

    def load(self, row: Row, hyper: Hyper, slot: Slot, entry: Named, state: Named) -> None:
        """The reference's state into the library's, of a tensor and of its group."""
        t = slot.state["t"]
        if row.counter and "t" not in row.shared:
            state[row.counter] = self.count(t)
        enter(row, slot, state)
        for ours, theirs in row.shared.items():
            entry[theirs] = self.count(t) if ours == "t" else float(slot.state[ours])
        row.bridge.enter(hyper, slot, entry, state)

    def read(self, row: Row, hyper: Hyper, slot: Slot, entry: Named, state: Named) -> Named:
        """The reference's state, from the library's after the step."""
        out = left(row, slot, state)
        if "t" not in row.shared:
            out["t"] = int(state[row.counter]) if row.counter else slot.state["t"] + 1
        for ours, theirs in row.shared.items():
            x = entry[theirs]
            out[ours] = int(x) if ours == "t" else number(x, slot.state[ours])
        return out | row.bridge.leave(hyper, slot, entry, state)


def numbers(row: Row, hyper: Hyper) -> Named:
    """The hyperparameters under the library's names."""
    out: dict[str, list[object]] = {"lr": [hyper.lr]}
    for ours, theirs in row.numbers.items():
        value = getattr(hyper, ours)
        if theirs[0] == "-":
            out[theirs[1:]] = [-value]
        else:
            out.setdefault(theirs, []).append(value)
    return {name: tuple(x) if len(x) > 1 else x[0] for name, x in out.items()}


def number(x: object, like: Array) -> Array:
    """An array of one number in the format and shape of the field that it is stored in."""
    return np.full_like(like, float(x))  # type: ignore[arg-type]


def enter(row: Row, slot: Slot, state: Named) -> None:
    """The reference's tensors into the library's state of one tensor."""
    for ours, theirs in row.state.items():
        array = slot.state[ours]
        if array.size or not slot.param.size:
            tensor = to_tensor(array)
            if ours in row.squeezed and array.ndim > 1:
                tensor = tensor.squeeze(row.squeezed[ours])
            if theirs[0] == "-":
                state[theirs[1:]] = -tensor
            else:
                state[theirs] = tensor


def left(row: Row, slot: Slot, state: Mapping[str, torch.Tensor]) -> Named:
    """The reference's tensors after the step; what the library does not have stays as it was."""
    out: Named = {}
    for ours, x in slot.state.items():
        theirs = row.state.get(ours, "")
        tensor = state.get(theirs.removeprefix("-")) if theirs else None
        if tensor is not None:
            array = from_tensor(-tensor if theirs[0] == "-" else tensor)
            out[ours] = array if array.shape == x.shape else array.reshape(x.shape)
        elif isinstance(x, np.ndarray):
            out[ours] = x.copy()
    return out


def _key(row: Row, hyper: Hyper, slot: Slot) -> Hashable:
    shared = tuple(float(slot.state[ours]) for ours in row.shared)
    return (shared, row.key(hyper, slot)) if row.key else shared


def _copied(group: Group, *, vectors: bool) -> Group:
    def copied(x: Array) -> Array:
        return (np.atleast_1d(x) if vectors else x).copy()

    def of(slot: Slot) -> Slot:
        # State without axes may be a sum of the whole tensor.
        state = {
            name: copied(x) if np.shape(x) == slot.param.shape and name != "t" else x
            for name, x in slot.state.items()
        }
        return Slot(copied(slot.param), copied(slot.grad), state, slot.inputs)

    return Group(group.hyper, [of(slot) for slot in group.slots])


def _as_given(groups: Sequence[Group], results: Sequence[Sequence[Stepped]]) -> list[list[Stepped]]:
    """The results in the shapes of these groups."""

    def shaped(slot: Slot, new: Stepped) -> Stepped:
        state = {
            name: x if name == "t" else x.reshape(slot.state[name].shape)
            for name, x in new.state.items()
        }
        return Stepped(new.param.reshape(slot.param.shape), state)

    return [
        [shaped(slot, new) for slot, new in zip(group.slots, stepped, strict=True)]
        for group, stepped in zip(groups, results, strict=True)
    ]
