"""What describes an optimizer of a small library for torch: a row of a table, and a bridge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from truestep.fast.protocol import FARTHEST, Slot

Named = dict[str, Any]
ONE: Mapping[str, Mapping[str, Any]] = {"single": {}}


@dataclass(frozen=True, slots=True)
class Bridge:
    """What a library keeps in another form than the reference, carried across and back.

    entries(torch, hyper, slot): of the parameter group. enter(torch, hyper, slot, state) completes
    the library's state of a tensor. leave(torch, hyper, slot, state): those of the reference's
    fields that the table does not map. group_state: names of what the library keeps in the
    parameter group, which leave finds in the state. fresh(slot): whether the library is to make the
    state itself, as before the first step.
    """

    entries: Callable[[Any, Any, Slot], Named] = lambda torch, hyper, slot: {}
    enter: Callable[[Any, Any, Slot, Named], None] = lambda torch, hyper, slot, state: None
    leave: Callable[[Any, Any, Slot, Mapping[str, Any]], Named] = lambda torch, hyper, slot, s: {}
    group_state: tuple[str, ...] = ()
    fresh: Callable[[Slot], bool] = lambda slot: bool(slot.state["t"] == 0)


@dataclass(frozen=True, slots=True)
class Row:
    """One optimizer of a library as an implementation of a reference rule.

    state: the reference's fields and the library's names of tensors. numbers: the reference's
    hyperparameters, besides lr, and their names in a parameter group; several that share one form
    a tuple. converted: what becomes of a hyperparameter on the way. prefix: of the variants'
    names. options: constructor arguments. paths: the ways to step, with their arguments. counter:
    the name of the number of steps in a tensor's state, "" where there is none. squeezed: axes of
    size 1 that the library leaves out. negated: tensors that it keeps the negative of. bridge: for
    the rest of the state. named: for optimizers that take named parameters, the name. plain:
    whether it is handed contiguous copies, of numbers as vectors, because it takes no other
    tensors: see the findings. formats: those that it is run in. level: the least thorough that it
    is run at in float32. reach: the last step that its counter takes.
    """

    rule: str
    optimizer: str
    state: Mapping[str, str]
    numbers: Mapping[str, str]
    prefix: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    converted: Mapping[str, Callable[[float], float]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: ONE)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    counter: str = "step"
    squeezed: Mapping[str, int] = field(default_factory=dict)
    negated: tuple[str, ...] = ()
    bridge: Bridge = field(default_factory=Bridge)
    named: str = ""
    formats: tuple[str, ...] = ("float32",)
    shapes: Literal["any", "nonempty", "matrices"] = "any"
    single: bool = False
    reach: int = FARTHEST
    level: Literal["smoke", "standard", "deep"] = "smoke"
    plain: bool = False
    arithmetic: str = "ieee_float32"
