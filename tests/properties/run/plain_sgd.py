"""A correct SGD that loads little: a process that has died is started again with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from truestep.fast.protocol import Group, Slot, Stepped
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import sgd


def stepped(groups: Sequence[Group]) -> list[list[Stepped]]:
    """The reference's lines on float32 arrays."""
    with np.errstate(all="ignore"):
        return [[_one(group.hyper, slot) for slot in group.slots] for group in groups]


def _one(h: Hyper, slot: Slot) -> Stepped:
    state, p = sgd.step(h, sgd.State(**slot.state), slot.param, slot.grad)
    return Stepped(np.asarray(p), {"t": state.t, "b": np.asarray(state.b)})
