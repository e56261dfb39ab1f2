"""A claim, the statement that is true in its place, and the experiment that decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from truestep.reference.validation import Array

Chart = Mapping[str, object]
RIGHT, WRONG, IMPRECISE, HARDWARE, OPEN = "right", "wrong", "imprecise", "hardware", "undecided"


@dataclass(frozen=True, slots=True)
class Found:
    """What an experiment found.

    claimed: whether the claim holds as it is made. in_part: whether it holds under a condition that
    it does not name. corrected: whether the corrected statement holds. control: whether the same
    measure says the opposite where the opposite is true. numbers: what was measured, by name.
    chart: as the report draws it, with the theorem's line or band, and the control.
    """

    claimed: bool
    corrected: bool
    control: bool
    numbers: Mapping[str, float]
    chart: Chart
    in_part: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """claim: as it is made. statement: what is true. source: where that is proven.

    decide: the experiment, deterministic by its seed. error: the probability, over seeds, that it
    decides wrongly; 0 where nothing is drawn. hardware: whether it speaks of a machine, which no
    theorem decides.
    """

    claim: str
    statement: str
    source: str
    decide: Callable[[int], Found]
    error: float = 0.0
    hardware: bool = False

    def verdict(self, found: Found) -> str:
        """What the experiment comes to; undecided where it contradicts itself or its control."""
        if self.hardware:
            return HARDWARE
        if not (found.corrected and found.control):
            return OPEN
        if found.claimed:
            return RIGHT
        return IMPRECISE if found.in_part else WRONG


@dataclass(slots=True)
class Drawing:
    """A chart as it is made: axes, then one line after another."""

    label: str
    x_label: str
    y_label: str
    log_x: bool = True
    log_y: bool = True
    series: list[dict[str, object]] = field(default_factory=list)

    def line(self, label: str, role: str, x: Array | Sequence[float], y: Array) -> Drawing:
        """A line; role: "measured", "exact" of a theorem, "bound", or "control"."""
        at, heights = np.asarray(x, float).tolist(), np.asarray(y, float).tolist()
        self.series.append({"label": label, "role": role, "x": at, "y": heights})
        return self

    def band(self, label: str, x: Array | Sequence[float], low: Array, high: Array) -> Drawing:
        """What a theorem leaves open."""
        self.series.append(
            {
                "label": label, "role": "band", "x": np.asarray(x, float).tolist(),
                "low": np.asarray(low, float).tolist(), "high": np.asarray(high, float).tolist(),
            }
        )  # fmt: skip
        return self

    def done(self) -> Chart:
        """As the report takes it."""
        return {
            "label": self.label, "x_label": self.x_label, "y_label": self.y_label,
            "log_x": self.log_x, "log_y": self.log_y, "series": self.series,
        }  # fmt: skip


def slope(x: Array, y: Array) -> float:
    """The power of x in which y goes between its first and last point."""
    return float(np.log(y[-1] / y[0]) / np.log(x[-1] / x[0]))


def near(got: object, due: object, relative: float) -> bool:
    """Whether all of got lie within that relative distance of what is due."""
    a, b = np.asarray(got, float), np.asarray(due, float)
    return bool(np.all(np.abs(a - b) <= relative * np.abs(b)))
