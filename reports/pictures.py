"""A rule's own picture, drawn from the reference: a quantizer's values, a schedule's curve."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from markupsafe import Markup

from truestep.reports import listing, plots

_STEPS = 200

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
    horizon = next(
        (
            int(getattr(hyper, name))
            for name in ("total_steps", "num_training_steps", "t_max", "steps")
            if isinstance(getattr(hyper, name, None), (int, float))
        ),
        _STEPS,
    )
    steps = sorted({round(i * horizon / _STEPS) for i in range(_STEPS + 1)})
    points = [(t, float(module.value(hyper, t))) for t in steps]
    points = [(t, value) for t, value in points if math.isfinite(value)]
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
