"""A rule's own picture, worked out from the reference: a quantizer's values, a schedule's curve."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Schedule
from truestep.reference.schedules import SCHEDULES
from truestep.reports.certificate import Record

# Points of a curve, and the least number of steps it covers.
_POINTS = 200
_FEWEST_STEPS = 50

# Above this many values a number line is a black bar that shows nothing.
_MOST_VALUES = 300


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture shows: values on a number line, or a chart as ``plots.chart`` takes it."""

    caption: str
    values: Sequence[float] = ()
    chart: Record | None = None


@cache
def picture(kind: str, rule: str) -> Picture | None:
    """The picture of a quantizer or schedule with its default hyperparameters, or None."""
    if kind == "quantizer" and rule in QUANTIZERS:
        format = QUANTIZERS[rule]
        values = [float(value) for value in format.all_values(format.Hyper())]
        few = len(values) <= _MOST_VALUES
        return Picture("Every value the format can represent.", values) if few else None
    return _curve(rule, SCHEDULES[rule]) if kind == "schedule" and rule in SCHEDULES else None


def _curve(rule: str, schedule: Schedule) -> Picture:
    hyper = schedule.Hyper()
    horizon = _horizon(hyper)
    steps = sorted({round(i * horizon / _POINTS) for i in range(_POINTS + 1)})
    points = [(t, value) for t in steps if math.isfinite(value := _value(schedule, hyper, t))]
    x, y = zip(*points, strict=True)
    line = {"label": "value", "x": x, "y": y, "role": "exact"}
    chart = {"label": f"{rule} over {horizon} steps", "x_label": "step", "series": [line]}
    return Picture("The reference with its default hyperparameters.", chart=chart)


def _value(schedule: Schedule, hyper: Hyper, t: int) -> float:
    """The schedule's value, nan where it ends with an error."""
    try:
        return float(schedule.value(hyper, t))
    except ValueError:
        return math.nan


def _horizon(hyper: Hyper) -> int:
    """Steps in which a schedule shows what it does, a little beyond its end if it has one."""
    lengths = dataclasses.asdict(hyper)
    if "total_steps" in lengths:
        return int(lengths["total_steps"] * 1.1)
    if lengths.get("milestones"):
        return int(max(lengths["milestones"]) * 1.4)
    phases = [n for name, n in lengths.items() if "steps" in name and isinstance(n, int)]
    return max(4 * sum(phases), _FEWEST_STEPS)
