"""A library's training-loop piece as a row of its table, and the capabilities of such a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from truestep.fast.protocol import Capability, Fixed, TrainingCapability
from truestep.fast.protocol import Outputs as Outputs

# A loss scale that doubles and halves within float32, at every overflow, down to nothing.
DOUBLING: Mapping[str, Fixed] = {
    "backoff": 0.5,
    "growth": 2.0,
    "hysteresis": 1,
    "max_scale": float(np.finfo(np.float32).max),
    "min_scale": 0.0,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One piece: the rule and dialect it computes, and how it is called.

    call(hyper, inputs): the outputs of the reference's run, by name.
    """

    rule: str
    variant: str
    call: Callable[..., Outputs]
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Fixed] = field(default_factory=dict)


def capabilities(rows: Sequence[Row], arithmetic: str) -> tuple[TrainingCapability, ...]:
    """Every row, in float32."""
    return tuple(
        TrainingCapability(
            rule=row.rule,
            arithmetic=arithmetic,
            dialect=row.dialect,
            variant=row.variant,
            fixed=row.fixed,
        )
        for row in rows
    )


def find(rows: Sequence[Row], capability: Capability) -> Row:
    """The row of a capability."""
    return next(r for r in rows if (r.rule, r.variant) == (capability.rule, capability.variant))
