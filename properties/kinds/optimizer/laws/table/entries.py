"""The three kinds of entry in the table of laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Holds:
    """The law holds, in the listed dialects where there is a restriction.

    at: hyperparameters at whose values it holds, and at which it is tried.
    """

    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fails:
    """The law does not hold: why, and one tensor before a step at which its claims are wrong.

    state, inputs: fields that differ from the fresh state, and what the rule takes besides g. p and
    g: nested tuples in the tensor's shape.
    """

    why: str
    hyper: Mapping[str, Any]
    p: Any
    g: Any
    state: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Void:
    """The law says nothing about this rule: why."""

    why: str


Entry = Holds | Fails | Void
