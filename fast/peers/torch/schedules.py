"""torch.optim.lr_scheduler: one scheduler over one parameter, asked for its rate after every step.

Arithmetic, from torch/optim/lr_scheduler.py: Python doubles throughout. Most schedulers multiply
the last rate (recursive); OneCycleLR, CyclicLR and CosineAnnealingWarmRestarts have a closed form
of a counter, which step() advances. The variant "epoch" calls step(epoch) of the last of them,
which finds the cycle by a logarithm.

Past the last step OneCycleLR raises, which is its dialect.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from truestep.fast.protocol import (
    FARTHEST,
    BackendUnavailable,
    Capability,
    Fixed,
    ScheduleCapability,
)
from truestep.reference.declared import Hyper

# A step of a scheduler takes 10 microseconds: what every value on the way may cost.
REACH = 1500


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One scheduler as an implementation of a reference rule.

    scheduler: its name in torch.optim.lr_scheduler. options: its constructor's arguments from the
    reference's Hyper. jumps: whether any step can be asked for directly, by step(epoch).
    """

    rule: str
    scheduler: str
    options: Callable[[Hyper], Mapping[str, object]]
    variant: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    recursive: bool = False
    jumps: bool = False


def _linear(h: Hyper) -> dict[str, object]:
    if not h.start_factor > 0 or h.start_factor > 1 or not 0 <= h.end_factor <= 1:
        raise BackendUnavailable(
            "torch's LinearLR demands 0 < start_factor <= 1 and 0 <= end_factor <= 1, got "
            f"{h.start_factor!r} and {h.end_factor!r}"
        )
    return {
        "start_factor": h.start_factor,
        "end_factor": h.end_factor,
        "total_iters": h.total_steps,
    }


def _one_cycle(h: Hyper) -> dict[str, object]:
    return {
        "max_lr": h.lr,
        "total_steps": h.total_steps,
        "pct_start": h.pct_start,
        "anneal_strategy": h.anneal,
        "div_factor": h.div_factor,
        "final_div_factor": h.final_div_factor,
        "three_phase": h.phases == "three",
        "cycle_momentum": False,
    }


def _cyclic(h: Hyper) -> dict[str, object]:
    return {
        "base_lr": h.min_lr,
        "max_lr": h.lr,
        "step_size_up": h.steps_up,
        "step_size_down": h.steps_down,
        "mode": h.mode,
        "gamma": h.gamma,
        "cycle_momentum": False,
    }


def _restarts(h: Hyper) -> dict[str, object]:
    return {"T_0": h.cycle_steps, "T_mult": h.growth, "eta_min": h.min_lr}


ROWS: tuple[ScheduleRow, ...] = (
    ScheduleRow(
        "cosine",
        "CosineAnnealingLR",
        lambda h: {"T_max": h.total_steps, "eta_min": h.min_lr},
        dialect={"after": "bounce"},
        recursive=True,
    ),
    *(
        ScheduleRow(
            "cyclic", "CyclicLR", _cyclic, variant=mode, dialect={"mode": mode, "place": "fraction"}
        )
        for mode in ("triangular", "triangular2", "exp_range")
    ),
    ScheduleRow(
        "exponential",
        "ExponentialLR",
        lambda h: {"gamma": h.gamma},
        fixed={"step_size": 1, "min_lr": 0.0},
        recursive=True,
    ),
    ScheduleRow(
        "exponential",
        "StepLR",
        lambda h: {"step_size": h.step_size, "gamma": h.gamma},
        variant="staircase",
        dialect={"steps": "staircase"},
        fixed={"min_lr": 0.0},
        recursive=True,
    ),
    ScheduleRow("linear", "LinearLR", _linear, recursive=True),
    ScheduleRow(
        "multi_step",
        "MultiStepLR",
        lambda h: {"milestones": list(h.milestones), "gamma": h.gamma},
        recursive=True,
    ),
    *(
        ScheduleRow(
            "one_cycle",
            "OneCycleLR",
            _one_cycle,
            variant=f"{phases}_{anneal}",
            dialect={"phases": phases, "anneal": anneal, "after": "raise"},
        )
        for phases in ("two", "three")
        for anneal in ("cos", "linear")
    ),
    ScheduleRow(
        "polynomial",
        "PolynomialLR",
        lambda h: {"total_iters": h.total_steps, "power": h.power},
        fixed={"min_lr": 0.0},
        recursive=True,
    ),
    ScheduleRow("warm_restarts", "CosineAnnealingWarmRestarts", _restarts, fixed={"decay": 1.0}),
    ScheduleRow(
        "warm_restarts",
        "CosineAnnealingWarmRestarts",
        _restarts,
        variant="epoch",
        fixed={"decay": 1.0},
        jumps=True,
    ),
)


def capabilities() -> tuple[ScheduleCapability, ...]:
    """Every scheduler that has a rule in the reference."""
    return tuple(
        ScheduleCapability(
            rule=row.rule,
            format="float64",
            arithmetic="ieee_float64",
            dialect=row.dialect,
            variant=row.variant,
            fixed=row.fixed,
            recursive=row.recursive,
            reach=FARTHEST if row.jumps else REACH,
        )
        for row in ROWS
    )


def values(capability: Capability, hyper: Hyper, steps: Sequence[int]) -> list[float]:
    """The rate of the optimizer's only group after t calls of step(), for every t of steps."""
    row = next(r for r in ROWS if (r.rule, r.variant) == (capability.rule, capability.variant))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=hyper.lr)
    made = getattr(torch.optim.lr_scheduler, row.scheduler)(optimizer, **row.options(hyper))
    wanted, found = set(steps), {}
    with warnings.catch_warnings():
        # Of no optimizer.step() before scheduler.step(), and of step(epoch), which is deprecated.
        warnings.simplefilter("ignore")
        if row.jumps:
            for t in steps:
                made.step(t)
                found[t] = float(optimizer.param_groups[0]["lr"])
        else:
            for t in range(max(steps, default=0) + 1):
                if t:
                    made.step()
                if t in wanted:
                    found[t] = float(optimizer.param_groups[0]["lr"])
    return [found[t] for t in steps]
