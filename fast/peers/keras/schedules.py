"""keras.optimizers.schedules, called on the torch backend with one count after the other.

Arithmetic: everything is float32 from the start, the count and the hyperparameters too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import SupportsFloat

from truestep.fast.peers.keras.library import keras
from truestep.fast.protocol import BackendUnavailable, Capability, Fixed, ScheduleCapability
from truestep.reference.declared import Hyper

schedules = keras.optimizers.schedules
# The rate at a count.
Schedule = Callable[[int], SupportsFloat]


@dataclass(frozen=True, slots=True)
class Row:
    """One schedule as an implementation of a reference rule: its name, and make(hyper)."""

    rule: str
    schedule: str
    make: Callable[[Hyper], Schedule]
    variant: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Fixed] = field(default_factory=dict)


def _share(h: Hyper) -> float:
    if h.lr == 0:
        raise BackendUnavailable("Keras takes the floor as a share of lr, and lr is 0")
    return float(h.min_lr / h.lr)


def _exponential(h: Hyper) -> Schedule:
    staircase = h.steps == "staircase"
    made: Schedule = schedules.ExponentialDecay(h.lr, h.step_size, h.gamma, staircase)
    return made


def _inverse_time(h: Hyper) -> Schedule:
    staircase = h.steps == "staircase"
    made: Schedule = schedules.InverseTimeDecay(h.lr, h.decay_steps, h.decay_rate, staircase)
    return made


def _warmup(h: Hyper) -> Schedule:
    if h.warmup_steps == h.total_steps:
        raise BackendUnavailable("Keras demands that the cosine takes at least one step")
    length = h.total_steps - h.warmup_steps
    made: Schedule = schedules.CosineDecay(
        0.0, length, _share(h), warmup_target=h.lr, warmup_steps=h.warmup_steps
    )
    return made


def _polynomial(h: Hyper, *, cycle: bool = False) -> Schedule:
    made: Schedule = schedules.PolynomialDecay(h.lr, h.total_steps, h.min_lr, h.power, cycle=cycle)
    return made


def _milestones(h: Hyper) -> Schedule:
    at = sorted(set(h.milestones))
    if not at:
        raise BackendUnavailable("Keras takes one boundary or more")
    rates = [h.lr * h.gamma ** sum(t <= b for t in h.milestones) for b in at]
    made: Schedule = schedules.PiecewiseConstantDecay(at, [h.lr, *rates])
    return made


_NO_FLOOR = {"min_lr": 0.0}
_STAIRCASE = {"steps": "staircase"}

ROWS: tuple[Row, ...] = (
    Row("cosine", "CosineDecay", lambda h: schedules.CosineDecay(h.lr, h.total_steps, _share(h))),
    Row("exponential", "ExponentialDecay", _exponential, fixed=_NO_FLOOR),
    Row(
        "exponential",
        "ExponentialDecay",
        _exponential,
        "staircase",
        {"steps": "staircase"},
        _NO_FLOOR,
    ),
    Row("inverse_time", "InverseTimeDecay", _inverse_time),
    Row("inverse_time", "InverseTimeDecay", _inverse_time, "staircase", _STAIRCASE),
    Row("linear_warmup_cosine", "CosineDecay", _warmup),
    Row("multi_step", "PiecewiseConstantDecay", _milestones, dialect={"boundary": "after"}),
    Row(
        "polynomial",
        "PolynomialDecay",
        lambda h: schedules.PolynomialDecay(h.lr, h.total_steps, h.min_lr, h.power),
    ),
    Row(
        "polynomial",
        "PolynomialDecay",
        lambda h: _polynomial(h, cycle=True),
        "cycle",
        {"after": "cycle"},
    ),
    Row(
        "warm_restarts",
        "CosineDecayRestarts",
        lambda h: schedules.CosineDecayRestarts(h.lr, h.cycle_steps, float(h.growth), h.decay),
        fixed=_NO_FLOOR,
    ),
)
_ROWS = {(row.rule, row.variant): row for row in ROWS}

CAPABILITIES = tuple(
    ScheduleCapability(
        rule=row.rule,
        arithmetic="float32_hyper",
        dialect=row.dialect,
        variant=row.variant,
        fixed=row.fixed,
    )
    for row in ROWS
)


def values(capability: Capability, hyper: Hyper, steps: Sequence[int]) -> list[float]:
    """The schedule's value at one count after the other."""
    schedule = _ROWS[capability.rule, capability.variant].make(hyper)
    return [float(schedule(t)) for t in steps]
