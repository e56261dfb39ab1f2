"""Reference records (Hyper, State) with their numbers replaced by those of another arithmetic."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from truestep.properties.arithmetic.bounded.bounded import Bounded, Counter
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.arithmetic.sampled.sampled import Replicates, Sampled

Record = TypeVar("Record")


def converted(record: Record, convert: Callable[[str, Any], Any]) -> Record:
    """A copy with every field passed through convert(name, value); validation is not run again.

    A Hyper is validated once, from Python numbers; its lifted copy holds numbers of another kind.
    """
    copy = object.__new__(type(record))
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        object.__setattr__(copy, field.name, convert(field.name, getattr(record, field.name)))
    return copy


def lifted_hyper(hyper: Record, arithmetic: Arithmetic) -> Record:
    """The hyperparameters as the host of this arithmetic holds them."""

    def lifted(name: str, x: Any) -> Any:
        if not isinstance(x, float):
            return x
        return Bounded.hyper(x, arithmetic, arithmetic.hyper_format(name))

    return converted(hyper, lifted)


def sampled_hyper(hyper: Record, world: Replicates) -> Record:
    """The hyperparameters as hosts of this arithmetic hold them, with their replicates."""

    def lifted(name: str, x: Any) -> Any:
        if not isinstance(x, float):
            return x
        return Sampled.hyper(x, world, world.arithmetic.hyper_format(name))

    return converted(hyper, lifted)


def lifted_state(kind: type[Record], state: Mapping[str, Any], arithmetic: Arithmetic) -> Record:
    """A backend's state (fields by name) as the exact input of one step."""
    return state_of(kind, state, lambda x: Bounded.exact(x, arithmetic))


def state_of(kind: type[Record], state: Mapping[str, Any], array: Callable[[Any], Any]) -> Record:
    """A State of that kind from fields by name: arrays through array(), integers as counters."""
    copy = object.__new__(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name not in state:
            raise ValueError(f"state lacks {field.name!r}; it has {', '.join(state) or 'nothing'}")
        value = state[field.name]
        is_count = isinstance(value, (int, np.integer)) and not isinstance(value, np.ndarray)
        object.__setattr__(copy, field.name, Counter(value) if is_count else array(value))
    return copy
