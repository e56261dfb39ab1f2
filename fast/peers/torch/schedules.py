"""torch.optim.lr_scheduler: one scheduler over one parameter, asked for its rate after every step.

Arithmetic, from torch/optim/lr_scheduler.py: Python doubles throughout. Most schedulers multiply
the last rate (recursive); OneCycleLR, CyclicLR and CosineAnnealingWarmRestarts have a closed form
of a counter, which step() advances, and LambdaLR has that of its function. The variant "epoch"
calls step(epoch), which uses a closed form where the scheduler has one besides; that of
CosineAnnealingWarmRestarts finds the cycle by a logarithm.

Past the last step OneCycleLR raises, which is its dialect. The momentum that CyclicLR and
OneCycleLR cycle with the rate is the same schedule of other numbers, upside down: of the variants
"momentum" lr is base_momentum, where the rate is at its peak, and what the rate begins with is
max_momentum.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch.optim import lr_scheduler

from truestep.fast.peers.torch_schedulers import Make, ScheduleRow
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.declared import Hyper


def _made(scheduler: str, options: Callable[[Hyper], Mapping[str, object]]) -> Make:
    return lambda optimizer, h: getattr(lr_scheduler, scheduler)(optimizer, **options(h))


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


def _one_momentum(h: Hyper) -> dict[str, object]:
    momenta = {"base_momentum": h.lr, "max_momentum": h.lr / h.div_factor}
    return {**_one_cycle(h), "cycle_momentum": True, **momenta}


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


def _cyclic_momentum(h: Hyper) -> dict[str, object]:
    momenta = {"base_momentum": h.lr, "max_momentum": h.min_lr}
    return {**_cyclic(h), "cycle_momentum": True, **momenta}


def _restarts(h: Hyper) -> dict[str, object]:
    return {"T_0": h.cycle_steps, "T_mult": h.growth, "eta_min": h.min_lr}


def _row(
    rule: str, scheduler: str, options: Callable[[Hyper], Mapping[str, object]], **declared: Any
) -> ScheduleRow:
    return ScheduleRow(rule, scheduler, _made(scheduler, options), **declared)


def _by_lambda(optimizer: torch.optim.Optimizer, h: Hyper) -> lr_scheduler.LRScheduler:
    return lr_scheduler.LambdaLR(optimizer, lambda t: h.gamma**t)


def _by_multiplication(optimizer: torch.optim.Optimizer, h: Hyper) -> lr_scheduler.LRScheduler:
    return lr_scheduler.MultiplicativeLR(optimizer, lambda t: h.gamma)


def _chained(optimizer: torch.optim.Optimizer, h: Hyper) -> lr_scheduler.LRScheduler:
    """Every other milestone in a scheduler of its own."""
    parts = [list(h.milestones[k::2]) for k in (0, 1)]
    children = [lr_scheduler.MultiStepLR(optimizer, part, gamma=h.gamma) for part in parts]
    return lr_scheduler.ChainedScheduler(children)


def _in_sequence(optimizer: torch.optim.Optimizer, h: Hyper) -> lr_scheduler.LRScheduler:
    """A warm-up, what is constant, and a line down: each by a clock of its own."""
    factors: tuple[Callable[[int], float], ...] = (
        lambda t: t / max(h.warmup_steps, 1),
        lambda t: 1.0,
        lambda t: max(1 - t / h.decay_steps, 0.0) if h.decay_steps else 0.0,
    )
    children = [lr_scheduler.LambdaLR(optimizer, factor) for factor in factors]
    ends = [h.warmup_steps, h.total_steps - h.decay_steps]
    return lr_scheduler.SequentialLR(optimizer, children, ends)


_PLAIN: tuple[ScheduleRow, ...] = (
    _row(
        "constant_factor",
        "ConstantLR",
        lambda h: {"factor": h.factor, "total_iters": h.total_steps},
        recursive=True,
    ),
    _row(
        "cosine",
        "CosineAnnealingLR",
        lambda h: {"T_max": h.total_steps, "eta_min": h.min_lr},
        dialect={"after": "bounce"},
        recursive=True,
    ),
    *(
        _row(
            "cyclic",
            "CyclicLR",
            options,
            variant=f"{before}{mode}",
            dialect={"mode": mode, "place": "fraction"},
            number=number,
        )
        for before, options, number in (
            ("", _cyclic, "lr"),
            ("momentum_", _cyclic_momentum, "momentum"),
        )
        for mode in ("triangular", "triangular2", "exp_range")
    ),
    _row(
        "exponential",
        "ExponentialLR",
        lambda h: {"gamma": h.gamma},
        fixed={"step_size": 1, "min_lr": 0.0},
        recursive=True,
    ),
    _row(
        "exponential",
        "StepLR",
        lambda h: {"step_size": h.step_size, "gamma": h.gamma},
        variant="staircase",
        dialect={"steps": "staircase"},
        fixed={"min_lr": 0.0},
        recursive=True,
    ),
    _row("linear", "LinearLR", _linear, recursive=True),
    _row(
        "multi_step",
        "MultiStepLR",
        lambda h: {"milestones": list(h.milestones), "gamma": h.gamma},
        recursive=True,
    ),
    *(
        _row(
            "one_cycle",
            "OneCycleLR",
            options,
            variant=f"{before}{phases}_{anneal}",
            dialect={"phases": phases, "anneal": anneal, "after": "raise"},
            fixed=fixed,
            number=number,
        )
        for before, options, number, fixed in (
            ("", _one_cycle, "lr", {}),
            ("momentum_", _one_momentum, "momentum", {"final_div_factor": 1.0}),
        )
        for phases in ("two", "three")
        for anneal in ("cos", "linear")
    ),
    _row(
        "polynomial",
        "PolynomialLR",
        lambda h: {"total_iters": h.total_steps, "power": h.power},
        fixed={"min_lr": 0.0},
        recursive=True,
    ),
    _row("warm_restarts", "CosineAnnealingWarmRestarts", _restarts, fixed={"decay": 1.0}),
    _row(
        "warm_restarts",
        "CosineAnnealingWarmRestarts",
        _restarts,
        variant="epoch",
        fixed={"decay": 1.0},
        jumps=True,
    ),
)
_EXPONENTIAL = {"step_size": 1, "min_lr": 0.0}
# Of those that multiply the last rate, the closed form that they have besides.
_CLOSED = tuple(
    replace(row, variant=f"{row.variant}_epoch".lstrip("_"), recursive=False, jumps=True)
    for row in _PLAIN
    if row.recursive
)
_COMPOSED = (
    ScheduleRow("exponential", "LambdaLR", _by_lambda, "lambda", fixed=_EXPONENTIAL),
    ScheduleRow(
        "exponential",
        "MultiplicativeLR",
        _by_multiplication,
        "multiplicative",
        fixed=_EXPONENTIAL,
        recursive=True,
    ),
    ScheduleRow("multi_step", "ChainedScheduler", _chained, "chained", recursive=True),
    ScheduleRow("warmup_stable_decay", "SequentialLR", _in_sequence, fixed={"min_lr": 0.0}),
)

ROWS: tuple[ScheduleRow, ...] = (*_PLAIN, *_CLOSED, *_COMPOSED)
