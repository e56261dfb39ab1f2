"""What hostile adapters share: a correct SGD, and one attack per variant past 2^24 steps.

The variants "before" and "after" never attack: whatever the others do, both are due to pass.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from plain_sgd import stepped

from truestep.fast.protocol import Capability, Group, Stepped

Results = list[list[Stepped]]
TRIGGER = 2**24 - 1


@dataclass(frozen=True)
class Attack:
    """What a variant does to a call, and what is due.

    verdict, says: of the check that meets the attack, and in its message. leaves: in the message of
    the check of the backend's conduct.
    """

    act: Callable[[Sequence[Group], Results], object]
    verdict: str
    says: str = ""
    leaves: str = ""


Attacks = Mapping[str, Attack]


class Hostile:
    """A backend of attacks; subclasses name them."""

    name = "hostile"
    attacks: ClassVar[Attacks] = {}

    def capabilities(self) -> Sequence[Capability]:
        return [
            Capability("optimizer", "sgd", variant=v) for v in ("before", *self.attacks, "after")
        ]

    def optimizer_step(self, capability: Capability, groups: Sequence[Group]) -> object:
        results = stepped(groups)
        attack = self.attacks.get(capability.variant)
        beyond = max(int(slot.state["t"]) for group in groups for slot in group.slots) >= TRIGGER
        return attack.act(groups, results) if attack and beyond else results


def changed(results: Results, **fields: Callable[[Stepped], Any]) -> Results:
    """Results with fields of each made anew."""
    return [
        [replace(new, **{name: make(new) for name, make in fields.items()}) for new in row]
        for row in results
    ]


def params(make: Callable[[Any], Any]) -> Callable[[Sequence[Group], Results], Results]:
    """The attack that makes something else of every parameter."""
    return lambda _, results: changed(results, param=lambda new: make(new.param))


def counts(make: Callable[[int], Any]) -> Callable[[Sequence[Group], Results], Results]:
    """The attack that makes something else of every counter."""
    return lambda _, results: changed(
        results, state=lambda new: {**new.state, "t": make(new.state["t"])}
    )


def wrong(results: Results) -> Results:
    """Results that no contract allows."""
    return changed(results, param=lambda new: new.param * 2 + 1)


def channel() -> Any:
    """The backend's end, found where it lies: its class is of the main program."""
    return next(x for x in gc.get_objects() if type(x).__name__ == "Channel")


def line() -> socket.socket:
    """The socket to the judge."""
    return next(x for x in gc.get_objects() if type(x) is socket.socket and x.fileno() >= 0)
