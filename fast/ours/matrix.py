"""The rules of ``truestep.fast.ours.matrices`` as capabilities of a backend."""

from collections.abc import Sequence

import numpy as np

from truestep.fast.ours.matrices import MATRICES
from truestep.fast.protocol import Array, Capability, Group, OptimizerCapability, Slot, Stepped
from truestep.reference.declared import Hyper


def capabilities() -> list[Capability]:
    """Every rule in every dialect that it is offered in."""
    return [
        OptimizerCapability(
            rule=rule,
            arithmetic=module.ARITHMETIC,
            dialect=dialect,
            variant="+".join(dialect.values()),
            level="standard" if number else "smoke",
            documented=tuple(dialect),
        )
        for rule, module in MATRICES.items()
        for number, dialect in enumerate(module.DIALECTS)
    ]


def optimizer_step(capability: OptimizerCapability, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One step on every slot of every group, one after another."""
    return [[_step(capability.rule, g.hyper, slot) for slot in g.slots] for g in groups]


def _step(rule: str, h: Hyper, slot: Slot) -> Stepped:
    t = int(slot.state["t"]) + 1
    p, state = np.array(slot.param), {name: _copied(x) for name, x in slot.state.items()}
    if p.size:
        with np.errstate(all="ignore"):
            p, new = MATRICES[rule].step(
                h, t, np.asarray(slot.param), np.asarray(slot.grad), slot.state, **slot.inputs
            )
        # What a rule leaves as it was is the input's own memory.
        state |= {name: np.array(x) for name, x in new.items()}
    return Stepped(np.array(p, np.float32), {**state, "t": t})


def _copied(x: Array | int) -> Array | int:
    return x if isinstance(x, int) else np.array(x)
