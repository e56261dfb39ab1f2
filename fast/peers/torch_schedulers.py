"""A scheduler of torch's kind as a row of a library's table: made over one parameter, and stepped.

Arithmetic: Python's doubles throughout.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from truestep.fast.protocol import FARTHEST, Capability, Fixed, ScheduleCapability
from truestep.reference.declared import Hyper

# A step of a scheduler takes 10 microseconds: what every value on the way may cost.
REACH = 1500
Make = Callable[[torch.optim.Optimizer, Hyper], torch.optim.lr_scheduler.LRScheduler]


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One scheduler as an implementation of a reference rule.

    scheduler: its name in the library. make(optimizer, hyper): the scheduler. jumps: whether any
    step can be asked for directly, by step(epoch). ahead: whether step() sets the rate of the step
    that follows it, the first one too. number: what the schedule is of, a number of the group.
    """

    rule: str
    scheduler: str
    make: Make
    variant: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    recursive: bool = False
    jumps: bool = False
    ahead: bool = False
    departures: tuple[str, ...] = ()
    number: str = "lr"


def capabilities(rows: Sequence[ScheduleRow]) -> tuple[ScheduleCapability, ...]:
    """Every scheduler that has a rule in the reference."""
    return tuple(
        ScheduleCapability(
            rule=row.rule,
            format="float64",
            arithmetic="ieee_float64",
            dialect=row.dialect,
            variant=row.variant,
            fixed=row.fixed,
            departures=row.departures,
            recursive=row.recursive,
            reach=FARTHEST if row.jumps else REACH,
        )
        for row in rows
    )


def values(
    rows: Sequence[ScheduleRow], capability: Capability, hyper: Hyper, steps: Sequence[int]
) -> list[float]:
    """A number of the optimizer's only group after t calls of step(), for every t of steps."""
    row = next(r for r in rows if (r.rule, r.variant) == (capability.rule, capability.variant))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=hyper.lr)
    wanted, found = set(steps), {}
    with warnings.catch_warnings():
        # Of no optimizer.step() before scheduler.step(), and of step(epoch), which is deprecated.
        warnings.simplefilter("ignore")
        made = row.make(optimizer, hyper)
        if row.jumps:
            for t in steps:
                made.step(t)
                found[t] = float(optimizer.param_groups[0][row.number])
        else:
            for t in range(max(steps, default=0) + 1):
                if t or row.ahead:
                    made.step()
                if t in wanted:
                    found[t] = float(optimizer.param_groups[0][row.number])
    return [found[t] for t in steps]
