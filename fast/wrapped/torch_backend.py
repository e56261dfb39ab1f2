"""A torch.optim.Optimizer as a backend, once it is understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch

from truestep.fast.locating import BrokenBackend
from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import Named, Row
from truestep.fast.peers.torch_tensors import to_tensor
from truestep.fast.protocol import Array, Capability, Fixed, Slot
from truestep.fast.wrapped import probes, search, told, torch_together, trials
from truestep.fast.wrapped.names import renamed
from truestep.fast.wrapped.search import Found
from truestep.fast.wrapped.torch_classes import Class, Make, looked_at
from truestep.fast.wrapped.torch_rows import row_of
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS


class Backend(torch_like.Backend):
    """An optimizer whose row was found."""

    subject: ClassVar[Class]
    found: ClassVar[Found]
    fixed: ClassVar[Mapping[str, Fixed]] = {}
    warns = True

    @property
    def declaration(self) -> str:
        """What was found, in one line."""
        return told.declaration(self.found, self.rows[0].arithmetic["float32"])

    def rounding(self, arithmetic: str) -> Backend:
        """The same in an arithmetic that has been found."""
        return _made(self.subject, self.found, arithmetic)

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """The optimizer of these param_groups."""
        name = self.found.numbers.get("lr")
        for entry in entries:
            rate = entry.pop("lr", None)
            if name:
                entry[name.removeprefix("-")] = rate
        ours = self.found.numbers
        rule = OPTIMIZERS[self.found.rule]
        if any(place.where == "group" for place in self.found.state.values()):
            # The constructor makes them of its numbers, as a first estimate.
            return self.subject.built(entries, entries[0])
        safe = {**trials.alive(rule), **{f: self.found.hyper[f] for f in ours}}
        return self.subject.built(entries, renamed(ours, safe))

    def parameter(self, array: Array) -> torch.Tensor:
        """Which a model can have."""
        return torch.nn.Parameter(to_tensor(array))

    def count(self, t: int) -> object:
        """The number of steps made as the optimizer keeps it."""
        place = self.found.counter
        if place is None:
            return int(t)
        kept = self.subject.state if place.where == "state" else self.subject.group
        like, t = kept[place.name], int(t) + place.ahead
        if isinstance(like, torch.Tensor):
            return torch.full(like.shape, t, dtype=like.dtype)
        return type(like)(t)

    def read(self, row: Row, hyper: Hyper, slot: Slot, entry: Named, state: Named) -> Named:
        """The reference's state, from the optimizer's after the step."""
        out = super().read(row, hyper, slot, entry, state)
        place = self.found.counter
        if place is not None:
            out["t"] -= place.ahead
        return out


def wrapped(
    make: Make | Class,
    rule: str | None = None,
    arithmetic: str | None = None,
    options: Mapping[str, object] | None = None,
) -> Backend:
    """A backend of an optimizer's class: see truestep.wrap.torch; of a Class as it was made."""
    subject = make if isinstance(make, Class) else looked_at(make, rule, options)
    tried = search.best(subject, rule)
    first = tried.found[0]
    numbers = (trials.large(OPTIMIZERS[first.rule]), trials.alive(OPTIMIZERS[first.rule]))
    subject.hold(renamed(first.numbers, numbers[0]))
    # What the subject keeps is of its last trial.
    subject.trial(renamed(first.numbers, numbers[1]), *trials.drawn(trials.MATRIX, seed=0))

    def build(found: Found) -> tuple[Backend, Capability]:
        backend = _made(subject, found, arithmetic)
        [capability] = backend.capabilities()
        return backend, capability

    try:
        found = probes.settled(tried, build)
    except BrokenBackend as error:
        raise BrokenBackend(f"{subject.name}: {error}") from error
    if told_apart := torch_together.departure(subject, found):
        if OPTIMIZERS[found.rule].FACTS.elementwise:
            raise BrokenBackend(f"{subject.name}: {told_apart}")
        found = replace(found, single=True)
    return _made(subject, found, arithmetic)


def _made(subject: Class, found: Found, arithmetic: str | None) -> Backend:
    row = row_of(subject, found, arithmetic or told.arithmetics(found))
    members = {"name": subject.name, "subject": subject, "found": found, "rows": (row,)}
    backend: Backend = type("Backend", (Backend,), members)()
    return backend
