"""A library's training-loop piece as a row of its table, and the capabilities of such a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from truestep.fast.protocol import Capability, Fixed, Inputs, Outputs, Shapes, TrainingCapability
from truestep.reference.declared import Hyper

Call = Callable[[Hyper, Inputs], Outputs]

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

    call(hyper, inputs): the outputs of the reference's run, by name. arithmetic: by format, those
    of float32 lead, where there are any. shapes, workers: see Capability.
    """

    rule: str
    variant: str
    call: Call
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    arithmetic: Mapping[str, str] = field(default_factory=lambda: {"float32": "ieee_float32"})
    shapes: Shapes = "any"
    workers: int = 0


def capabilities(rows: Sequence[Row]) -> tuple[TrainingCapability, ...]:
    """Every row in its formats."""
    return tuple(
        TrainingCapability(
            rule=row.rule,
            format=format,
            arithmetic=arithmetic,
            dialect=row.dialect,
            variant=row.variant,
            fixed=row.fixed,
            level="smoke" if format == "float32" or "float32" not in row.arithmetic else "standard",
            shapes=row.shapes,
            workers=row.workers,
        )
        for row in rows
        for format, arithmetic in row.arithmetic.items()
    )


def outputs(rows: Sequence[Row], capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
    """What the library gives for these inputs."""
    own = (capability.rule, capability.variant)
    return next(row for row in rows if (row.rule, row.variant) == own).call(hyper, inputs)
