"""The references as a backend, to run laws and theorems on the definitions themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from truestep.fast.protocol import Capability, Group, Slot, Stepped
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.kinds.training.step import lifted
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.schedules import SCHEDULES
from truestep.reference.training import TRAINING

_TABLES: dict[str, Mapping[str, Any]] = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "training": TRAINING,
}


class Backend:
    """Every optimizer, schedule and training piece of the reference in its own form."""

    name = "reference"

    def capabilities(self) -> Sequence[Capability]:
        """The whole table in float64."""
        return [
            Capability(kind, rule, format="float64", arithmetic="ieee_float64")
            for kind, rules in _TABLES.items()
            for rule in rules
        ]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step of the reference on every slot."""
        return [[_step(capability.rule, group, slot) for slot in group.slots] for group in groups]

    def schedule_values(
        self, capability: Capability, hyper: Any, steps: Sequence[int]
    ) -> Sequence[float]:
        """The reference's closed form."""
        return [float(SCHEDULES[capability.rule].value(hyper, t)) for t in steps]

    def training_piece(
        self, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The reference's outputs."""
        given = {name: lifted(x, np.asarray, int) for name, x in inputs.items()}
        with np.errstate(all="ignore"):
            out = TRAINING[capability.rule].run(hyper, **given)
        return {name: _plain(x) for name, x in out.items()}


def _plain(x: Any) -> Any:
    if isinstance(x, list):
        return [_plain(item) for item in x]
    return x if isinstance(x, (bool, int)) else np.asarray(x)


def _step(name: str, group: Group, slot: Slot) -> Stepped:
    out = stepped(OPTIMIZERS[name], group.hyper, slot, plain())
    return Stepped(out.pop("p"), out)
