"""optax's schedules, called as a training step calls them: with an int32 count.

Arithmetic: their constructors compute in Python doubles; the schedule itself is float32, and so is
a count once it meets a float (jax without x64). XLA flushes subnormal numbers to zero.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import jax.numpy as jnp
import optax

from truestep.fast.protocol import FARTHEST, BackendUnavailable, Capability, ScheduleCapability
from truestep.reference.declared import Hyper


@dataclass(frozen=True, slots=True)
class Row:
    """One of optax's schedules as an implementation of a reference rule.

    schedule: its name in optax. make(hyper, last): it, up to the step last at least.
    """

    rule: str
    schedule: str
    make: Callable[[Hyper, int], optax.Schedule]
    variant: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    reach: int = FARTHEST


def _cosine(h: Hyper, last: int) -> optax.Schedule:
    if h.lr == 0:
        raise BackendUnavailable("optax takes the floor as a share of lr, and lr is 0")
    return optax.cosine_decay_schedule(h.lr, h.total_steps, alpha=float(h.min_lr / h.lr))


def _exponential(h: Hyper, last: int) -> optax.Schedule:
    if h.gamma == 1 and h.min_lr > 0:
        raise BackendUnavailable("optax takes end_value as an upper bound where decay_rate is 1")
    return optax.exponential_decay(
        h.lr,
        transition_steps=h.step_size,
        decay_rate=h.gamma,
        staircase=h.steps == "staircase",
        end_value=h.min_lr or None,
    )


def _joined(h: Hyper, last: int) -> optax.Schedule:
    """A warm-up, what is constant, and a line down."""
    parts = [
        optax.linear_schedule(0.0, h.lr, h.warmup_steps),
        optax.constant_schedule(h.lr),
        optax.linear_schedule(h.lr, h.min_lr, h.decay_steps)
        if h.decay_steps
        else optax.constant_schedule(h.min_lr),
    ]
    return optax.join_schedules(parts, [h.warmup_steps, h.total_steps - h.decay_steps])


def _linear(h: Hyper, last: int) -> optax.Schedule:
    return optax.linear_schedule(h.lr * h.start_factor, h.lr * h.end_factor, h.total_steps)


def _warmup_constant(h: Hyper, last: int) -> optax.Schedule:
    return optax.warmup_constant_schedule(h.lr * h.start_factor, h.lr * h.end_factor, h.total_steps)


def _warmup_cosine(h: Hyper, last: int) -> optax.Schedule:
    if h.warmup_steps == h.total_steps:
        raise BackendUnavailable("optax demands that the cosine takes at least one step")
    return optax.warmup_cosine_decay_schedule(
        0.0, h.lr, h.warmup_steps, h.total_steps, end_value=h.min_lr
    )


def _milestones(h: Hyper, last: int) -> optax.Schedule:
    repeats: Counter[int] = Counter(h.milestones)
    return optax.piecewise_constant_schedule(h.lr, {t: h.gamma**n for t, n in repeats.items()})


def _cosine_cycle(h: Hyper, last: int) -> optax.Schedule:
    return optax.cosine_onecycle_schedule(
        h.total_steps, h.lr, h.pct_start, h.div_factor, h.final_div_factor
    )


def _linear_cycle(h: Hyper, last: int) -> optax.Schedule:
    """The second phase as long as the first: half a step more is cut off."""
    down = (2 * int(h.pct_start * h.total_steps) + 0.5) / h.total_steps
    return optax.linear_onecycle_schedule(
        h.total_steps, h.lr, h.pct_start, down, h.div_factor, h.final_div_factor
    )


def _interpolated(h: Hyper, last: int) -> optax.Schedule:
    repeats: Counter[int] = Counter(h.milestones)
    scales = {t: h.gamma**n for t, n in repeats.items()}
    return optax.piecewise_interpolate_schedule(h.shape, h.lr, scales)


def _warmup_exponential(h: Hyper, last: int) -> optax.Schedule:
    if h.gamma == 1 and h.min_lr > 0:
        raise BackendUnavailable("optax takes end_value as an upper bound where decay_rate is 1")
    return optax.warmup_exponential_decay_schedule(
        0.0,
        h.lr,
        h.warmup_steps,
        transition_steps=h.step_size,
        decay_rate=h.gamma,
        staircase=h.steps == "staircase",
        end_value=h.min_lr or None,
    )


def _polynomial(h: Hyper, last: int) -> optax.Schedule:
    return optax.polynomial_schedule(h.lr, h.min_lr, h.power, h.total_steps)


def _restarts(h: Hyper, last: int) -> optax.Schedule:
    cycles: list[dict[str, float]] = []
    start, length = 0, h.cycle_steps
    while start <= last:
        peak = max(h.lr * h.decay ** len(cycles), h.min_lr)
        height = {"init_value": peak, "peak_value": peak, "end_value": h.min_lr}
        cycles.append({**height, "warmup_steps": 0, "decay_steps": length})
        start, length = start + length, length * h.growth
    return optax.sgdr_schedule(cycles)


ROWS: tuple[Row, ...] = (
    Row("constant", "constant_schedule", lambda h, last: optax.constant_schedule(h.lr)),
    Row("cosine", "cosine_decay_schedule", _cosine),
    Row("exponential", "exponential_decay", _exponential),
    Row("exponential", "exponential_decay", _exponential, "staircase", {"steps": "staircase"}),
    Row("linear", "linear_schedule", _linear),
    Row("linear", "warmup_constant_schedule", _warmup_constant, "warmup_constant"),
    Row("linear_warmup_cosine", "warmup_cosine_decay_schedule", _warmup_cosine),
    Row("linear_warmup_exponential", "warmup_exponential_decay_schedule", _warmup_exponential),
    Row(
        "linear_warmup_exponential",
        "warmup_exponential_decay_schedule",
        _warmup_exponential,
        "staircase",
        {"steps": "staircase"},
    ),
    Row("multi_step", "piecewise_constant_schedule", _milestones),
    Row(
        "one_cycle",
        "cosine_onecycle_schedule",
        _cosine_cycle,
        "two_cos",
        {"knots": "whole", "after": "hold"},
    ),
    Row(
        "one_cycle",
        "linear_onecycle_schedule",
        _linear_cycle,
        "three_linear",
        {"phases": "three", "anneal": "linear", "knots": "whole", "after": "hold"},
    ),
    *(
        Row(
            "piecewise_interpolate",
            "piecewise_interpolate_schedule",
            _interpolated,
            shape,
            {"shape": shape},
        )
        for shape in ("linear", "cosine")
    ),
    Row("polynomial", "polynomial_schedule", _polynomial),
    # One schedule is built per cycle: what may be built for one call.
    Row("warm_restarts", "sgdr_schedule", _restarts, reach=200),
    Row("warmup_stable_decay", "join_schedules", _joined),
)
_ROWS = {(row.rule, row.variant): row for row in ROWS}

CAPABILITIES = tuple(
    ScheduleCapability(
        rule=row.rule,
        arithmetic="xla_float32",
        dialect=row.dialect,
        variant=row.variant,
        reach=row.reach,
    )
    for row in ROWS
)


def values(capability: Capability, hyper: Hyper, steps: Sequence[int]) -> list[float]:
    """The schedule's value at one count after the other."""
    row = _ROWS[capability.rule, capability.variant]
    schedule = row.make(hyper, max(steps, default=0))
    return [float(schedule(jnp.asarray(t, jnp.int32))) for t in steps]
