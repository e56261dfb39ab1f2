"""The entries of the tables that say which rule obeys which law."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from truestep.fast.protocol import Capability, Number

Example = TypeVar("Example")


@dataclass(frozen=True, slots=True)
class Holds:
    """The law holds, in the listed dialects where there is a restriction.

    at: hyperparameters at whose values it holds, and at which it is tried.
    """

    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fails(Generic[Example]):
    """The law does not hold: why, and an example at which its claims are wrong."""

    why: str
    example: Example


@dataclass(frozen=True, slots=True)
class Void:
    """The law says nothing about this rule: why."""

    why: str


Entry = Holds | Fails[Example] | Void
Row = dict[str, Entry[Example]]


def holds(at: Mapping[str, Number] | None = None, **when: str) -> Holds:
    """Holds(), each field's dialects given as words: holds(decay="before after")."""
    return Holds({name: tuple(values.split()) for name, values in when.items()}, at or {})


def obeys(*laws: str) -> dict[str, Holds]:
    """Laws that hold in every dialect, their names as words."""
    return {law: Holds() for words in laws for law in words.split()}


def tried_at(at: Mapping[str, Number], row: Row[Example]) -> Row[Example]:
    """The row, with hyperparameters at whose values all of its laws hold."""
    return {
        law: Holds(entry.when, {**at, **entry.at}) if isinstance(entry, Holds) else entry
        for law, entry in row.items()
    }


def holding(
    row: Mapping[str, Entry[Example]], own: object, capability: Capability
) -> Iterator[tuple[str, Holds]]:
    """The entries that hold in a capability's dialect, in alphabetical order.

    own: the Hyper of the rule's own form.
    """
    for law, entry in sorted(row.items()):
        if isinstance(entry, Holds) and all(
            capability.dialect.get(field, getattr(own, field)) in values
            for field, values in entry.when.items()
        ):
            yield law, entry
