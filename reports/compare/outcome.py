"""One run of one rule, as its journal keeps it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Tuning: one grid for all, then both neighbours of its best point; then fresh seeds there.
GRID, FRESH = "grid", "fresh"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which run: of a problem, by a rule, at the rate 10^(half / 2), from a seed."""

    problem: str
    rule: str
    half: int
    seed: int

    @property
    def rate(self) -> float:
        """The peak of the learning rate."""
        return float(10.0 ** (self.half / 2))


@dataclass(frozen=True, slots=True)
class Outcome:
    """loss: at the end, and never worse than at the start. curve: losses on the way, by step.

    diverged: whether the end is no number, or worse than the start. seconds: of processor time.
    """

    loss: float
    diverged: bool
    seconds: float
    curve: Sequence[tuple[int, float]] = field(default_factory=tuple)


def outcome(
    loss: float, start: float, seconds: float, curve: Sequence[tuple[int, float]] = ()
) -> Outcome:
    """From the last loss, and that at the start."""
    diverged = not loss <= start
    shown = tuple((step, x) for step, x in curve if math.isfinite(x))
    return Outcome(start if diverged else loss, diverged, seconds, shown)


def to_json(key: Key, found: Outcome) -> dict[str, object]:
    """A line of the journal."""
    return {
        "problem": key.problem, "rule": key.rule, "half": key.half, "seed": key.seed,
        "loss": found.loss, "diverged": found.diverged, "seconds": round(found.seconds, 4),
        "curve": [list(point) for point in found.curve],
    }  # fmt: skip


def of_json(line: Mapping[str, Any]) -> tuple[Key, Outcome]:
    """What a line of the journal says."""
    key = Key(line["problem"], line["rule"], line["half"], line["seed"])
    curve = tuple((int(step), float(loss)) for step, loss in line["curve"])
    return key, Outcome(line["loss"], line["diverged"], line["seconds"], curve)
