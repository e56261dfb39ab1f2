"""Faults in learning-rate schedules: horizons, joints, restarts, clocks and what comes after."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from truestep.fast.protocol import Capability
from truestep.reference.schedules import SCHEDULES

Value = Callable[[Any, int], float]


@dataclass(frozen=True, slots=True)
class ScheduleFault:
    """A schedule that computes value(hyper, t) instead of what its rule says.

    The other fields are those of `Fault`. recursive: the values are made one from the other, by
    value(hyper, t, last).
    """

    rule: str
    description: str
    source: str
    value: Callable[..., float]
    check: str = "values"
    computes: str = ""
    recursive: bool = False
    kind: str = "schedule"

    def backend(self) -> ScheduleBackend:
        """A backend that computes with the fault."""
        return ScheduleBackend(self)


class ScheduleBackend:
    """The float64 kernel of one schedule, with a fault."""

    def __init__(self, fault: ScheduleFault) -> None:
        self.name = f"museum {fault.rule}"
        self.fault = fault

    def capabilities(self) -> Sequence[Capability]:
        """The rule in float64; of the cosine's recursion the dialect that it has."""
        dialect = {"after": "bounce"} if self.fault.recursive else {}
        return [
            Capability(
                "schedule",
                self.fault.rule,
                format="float64",
                arithmetic="ieee_float64",
                dialect=dialect,
                recursive=self.fault.recursive,
            )
        ]

    def schedule_values(
        self, capability: Capability, hyper: Any, steps: Sequence[int]
    ) -> Sequence[float]:
        """The faulty values."""
        with np.errstate(all="ignore"):
            if not self.fault.recursive:
                return [float(self.fault.value(hyper, t)) for t in steps]
            last, found = float(hyper.lr), {}
            for t in range(max(steps, default=0) + 1):
                found[t] = last
                last = float(self.fault.value(hyper, t, last))
            return [found[t] for t in steps]


def _changed(rule: str, **fields: Callable[[Any], Any]) -> Value:
    """The rule with some of its hyperparameters changed."""
    module = SCHEDULES[rule]

    def value(h: Any, t: int) -> float:
        own = {name: getattr(h, name) for name in module.Hyper.__dataclass_fields__}
        return float(module.value(module.Hyper(**own | {k: f(h) for k, f in fields.items()}), t))

    return value


def _at(rule: str, step: Callable[[Any, int], int]) -> Value:
    """The rule at another step."""
    return lambda h, t: float(SCHEDULES[rule].value(h, step(h, t)))


def _spoilt(rule: str, then: Callable[[Any, int, float], float]) -> Value:
    """The rule's value, changed afterwards."""
    return lambda h, t: then(h, t, float(SCHEDULES[rule].value(h, t)))


def _half_cosine(h: Any, peak: float, place: float, length: float) -> float:
    return float(h.min_lr + (peak - h.min_lr) * (1 + math.cos(math.pi * place / length)) / 2)


def _restarts_by_subtraction(h: Any, t: int) -> float:
    place, length, peak = 0.0, h.cycle_steps / 10, h.lr
    for _ in range(t):
        place += 0.1
        if place >= length:
            place, length = place - length, length * h.growth
            peak = max(peak * h.decay, h.min_lr)
    return _half_cosine(h, peak, place, length)


def _restarts_by_logarithm(h: Any, t: int) -> float:
    if h.growth == 1:
        i = t // h.cycle_steps
    else:
        i = int(math.log(t / h.cycle_steps * (h.growth - 1) + 1, h.growth))
    start = sum(h.cycle_steps * h.growth**k for k in range(i))
    peak = max(h.lr * h.decay**i, h.min_lr)
    return _half_cosine(h, peak, t - start, h.cycle_steps * h.growth**i)


def _restarts_late(h: Any, t: int) -> float:
    i, start, length = 0, 0, h.cycle_steps
    while t > start + length:
        i, start, length = i + 1, start + length, length * h.growth
    return _half_cosine(h, max(h.lr * h.decay**i, h.min_lr), t - start, length)


def _cosine_unguarded(h: Any, t: int, last: float) -> float:
    T = h.total_steps
    above = 1 + math.cos(math.pi * (t + 1) / T)
    below = 1 + math.cos(math.pi * t / T)
    return float(np.divide(above, below) * (last - h.min_lr) + h.min_lr)


def _line_beyond(h: Any, t: int) -> float:
    rise = h.end_factor - h.start_factor
    return float(h.lr * (h.start_factor + rise * t / h.total_steps))


def _joined_late(h: Any, t: int) -> float:
    if t <= h.warmup_steps:
        return float(h.lr * t / h.warmup_steps) if h.warmup_steps else h.lr
    return float(SCHEDULES["linear_warmup_cosine"].value(h, t - 1))


SCHEDULE: dict[str, ScheduleFault] = {
    "cosine_bounces": ScheduleFault(
        "cosine",
        "goes up again past its end, where it is to stay",
        "PyTorch's CosineAnnealingLR taken for a decay that holds",
        _changed("cosine", after=lambda h: "bounce"),
        check="past_the_end",
        computes="goes on along the cosine",
    ),
    "cosine_floor_ignored": ScheduleFault(
        "cosine",
        "falls to 0 instead of min_lr",
        "arguments dropped on the way to a scheduler",
        _changed("cosine", min_lr=lambda h: 0.0),
    ),
    "cosine_horizon_one_longer": ScheduleFault(
        "cosine",
        "reaches min_lr one step late",
        "inclusive and exclusive horizons",
        _changed("cosine", total_steps=lambda h: h.total_steps + 1),
        computes="cosine with total_steps +1",
    ),
    "cosine_horizon_one_shorter": ScheduleFault(
        "cosine",
        "reaches min_lr one step early",
        "inclusive and exclusive horizons",
        _changed("cosine", total_steps=lambda h: max(h.total_steps - 1, 1)),
        computes="cosine with total_steps -1",
    ),
    "cosine_line_instead": ScheduleFault(
        "cosine",
        "decays along a straight line",
        "a default of the factory",
        lambda h, t: float(
            SCHEDULES["polynomial"].value(
                SCHEDULES["polynomial"].Hyper(h.lr, h.min_lr, h.total_steps), t
            )
        ),
        computes="polynomial",
    ),
    "cosine_recursion_unguarded": ScheduleFault(
        "cosine",
        "divides by zero at the minimum of its recursion",
        "pytorch/pytorch#17913",
        _cosine_unguarded,
        check="past_the_end",
        recursive=True,
    ),
    "exponential_absolute_floor": ScheduleFault(
        "exponential",
        "never falls below 1e-8",
        "a constant against division by zero",
        _spoilt("exponential", lambda h, t, x: max(x, 1e-8)),
        check="past_the_end",
    ),
    "exponential_applied_twice": ScheduleFault(
        "exponential",
        "decays in the getter and in the step",
        "pytorch/pytorch#20527",
        _at("exponential", lambda h, t: 2 * t),
    ),
    "exponential_staircase": ScheduleFault(
        "exponential",
        "an integer division in the exponent",
        "integer counters",
        _changed("exponential", steps=lambda h: "staircase"),
        computes="shrinks by gamma every step_size steps",
    ),
    "inverse_time_counter_in_float32": ScheduleFault(
        "inverse_time",
        "the counter passes through float32 and stays at 2^24",
        "pytorch/pytorch#74424",
        _at("inverse_time", lambda h, t: int(np.float32(t))),
        check="past_the_end",
    ),
    "linear_beyond_its_end": ScheduleFault(
        "linear",
        "goes on past its end, into negative rates",
        "PyTorch's OneCycleLR",
        _line_beyond,
        check="past_the_end",
    ),
    "linear_ends_exchanged": ScheduleFault(
        "linear",
        "start and end factors exchanged",
        "positional arguments",
        _changed(
            "linear", start_factor=lambda h: h.end_factor, end_factor=lambda h: h.start_factor
        ),
    ),
    "linear_warmup_cosine_base_rate_first": ScheduleFault(
        "linear_warmup_cosine",
        "the first step has the base rate, not the warm-up's",
        "pytorch/pytorch#63457",
        _spoilt("linear_warmup_cosine", lambda h, t, x: x if t else h.lr),
    ),
    "linear_warmup_cosine_clock_runs": ScheduleFault(
        "linear_warmup_cosine",
        "the decay's clock runs during the warm-up",
        "timm without warmup_prefix",
        _changed("linear_warmup_cosine", cosine=lambda h: "running"),
        computes="the cosine runs from the start, hidden by the warm-up",
    ),
    "linear_warmup_cosine_joined_late": ScheduleFault(
        "linear_warmup_cosine",
        "the decay starts one step after the peak",
        "ml-explore/mlx#2617",
        _joined_late,
    ),
    "linear_warmup_cosine_warmup_from_one": ScheduleFault(
        "linear_warmup_cosine",
        "the warm-up counts from 1",
        "(t + 1) / W in hand-written warm-ups",
        _changed("linear_warmup_cosine", warmup=lambda h: "from_one"),
        computes="(t + 1) / warmup_steps",
    ),
    "linear_warmup_cosine_warmup_subtracted_twice": ScheduleFault(
        "linear_warmup_cosine",
        "the decay ends one warm-up early",
        "NVIDIA/Megatron-LM#2258",
        _changed(
            "linear_warmup_cosine",
            total_steps=lambda h: max(h.total_steps - h.warmup_steps, h.warmup_steps, 1),
        ),
    ),
    "multi_step_late": ScheduleFault(
        "multi_step",
        "a milestone acts after it, not at it",
        "Keras' PiecewiseConstantDecay",
        _changed("multi_step", boundary=lambda h: "after"),
        computes="a milestone acts one step late",
    ),
    "multi_step_milestone_at_zero_missed": ScheduleFault(
        "multi_step",
        "compares after the first increment, so a milestone at 0 never acts",
        "pytorch/pytorch#185872",
        _changed("multi_step", milestones=lambda h: tuple(t for t in h.milestones if t)),
    ),
    "multi_step_repeats_once": ScheduleFault(
        "multi_step",
        "a milestone listed twice acts once",
        "pytorch/pytorch#31828",
        _changed("multi_step", milestones=lambda h: tuple(sorted(set(h.milestones)))),
    ),
    "noam_early": ScheduleFault(
        "noam",
        "asks for the rate of the next step",
        "scheduler.step() before optimizer.step()",
        _at("noam", lambda h, t: t + 1),
        computes="noam one step early",
    ),
    "polynomial_negative": ScheduleFault(
        "polynomial",
        "negative past the end",
        "a base that is not clipped",
        _spoilt("polynomial", lambda h, t, x: x if t <= h.total_steps else -x - 1e-3 * h.lr),
        check="law:stays_between_its_extremes",
    ),
    "power_in_float32": ScheduleFault(
        "power",
        "computed in float32, declared as double",
        "tensors for learning rates",
        _spoilt("power", lambda h, t, x: float(np.float32(x))),
    ),
    "warm_restarts_by_logarithm": ScheduleFault(
        "warm_restarts",
        "finds its cycle by a logarithm, which rounds down at some restarts",
        "PyTorch's CosineAnnealingWarmRestarts.step(epoch)",
        _restarts_by_logarithm,
    ),
    "warm_restarts_by_subtraction": ScheduleFault(
        "warm_restarts",
        "adds tenths of an epoch and subtracts a cycle at its end",
        "fractional epochs",
        _restarts_by_subtraction,
    ),
    "warm_restarts_late": ScheduleFault(
        "warm_restarts",
        "restarts when the end is passed, not when it is reached",
        "pytorch/pytorch#23480",
        _restarts_late,
    ),
    "warmup_stable_decay_late": ScheduleFault(
        "warmup_stable_decay",
        "repeats the first step",
        "THUDM/slime#1546",
        _at("warmup_stable_decay", lambda h, t: max(t - 1, 0)),
        computes="one step late",
    ),
    "warmup_stable_decay_in_micro_steps": ScheduleFault(
        "warmup_stable_decay",
        "counts micro-batches, two for every update",
        "Makazhan/Soup#686",
        _at("warmup_stable_decay", lambda h, t: 2 * t),
    ),
}
