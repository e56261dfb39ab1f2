"""A rule's own picture, drawn from the reference: a quantizer's values, a schedule's curve."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import Any

from markupsafe import Markup

from truestep.reports import listing, plots

# Points of a curve, and the least number of steps it covers.
_POINTS = 200
_FEWEST_STEPS = 50

# Above this many values a number line is a black bar that shows nothing.
_MOST_VALUES = 300


@cache
def picture(kind: str, rule: str) -> Markup | None:
    """The picture of a quantizer or schedule with its default hyperparameters, or None."""
    if kind not in ("quantizer", "schedule"):
        return None
    try:
        module = listing.rule(kind, rule)
        return _number_line(module) if kind == "quantizer" else _curve(rule, module)
    except (ArithmeticError, AttributeError, ImportError, LookupError, TypeError, ValueError):
        # A rule whose hyperparameters have no defaults, or with another interface, has no picture;
        # that must not cost the report.
        return None


def _number_line(module: Any) -> Markup | None:
    values = [float(value) for value in module.all_values(module.Hyper())]
    return plots.number_line(values) if 1 < len(values) <= _MOST_VALUES else None


def _curve(rule: str, module: Any) -> Markup | None:
    hyper = module.Hyper()
    horizon = _horizon(hyper)
    steps = sorted({round(i * horizon / _POINTS) for i in range(_POINTS + 1)})
    points = [(t, value) for t in steps if math.isfinite(value := _value(module, hyper, t))]
    if len(points) < 2:
        return None
    line = {
        "label": "value",
        "x": [t for t, _ in points],
        "y": [value for _, value in points],
        "role": "exact",
    }
    return plots.chart(
        {"label": f"{rule} over {horizon} steps", "x_label": "step", "series": [line]}
    )


def _value(module: Any, hyper: Any, t: int) -> float:
    """The schedule's value, nan where it ends with an error."""
    try:
        return float(module.value(hyper, t))
    except ValueError:
        return math.nan


def _horizon(hyper: Any) -> int:
    """Steps in which a schedule shows what it does, a little beyond its end if it has one."""
    lengths = {f.name: getattr(hyper, f.name) for f in dataclasses.fields(hyper)}
    if "total_steps" in lengths:
        return int(lengths["total_steps"] * 1.1)
    if lengths.get("milestones"):
        return int(max(lengths["milestones"]) * 1.4)
    phases = [n for name, n in lengths.items() if "steps" in name and isinstance(n, int)]
    return max(4 * sum(phases), _FEWEST_STEPS)
