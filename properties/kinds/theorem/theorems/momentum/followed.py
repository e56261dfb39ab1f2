"""Modes of a quadratic under momentum, followed beside their closed form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.kernels import Run
from truestep.properties.kinds.theorem.theorems.momentum import modes as closed
from truestep.properties.kinds.theorem.theorems.theorem import Evidence, Outcome, Point, at_most
from truestep.reference.validation import Array

# Every mode has the same optimum and starts 1 away from it; both are numbers of every format.
OPTIMUM = 0.5


def start(spectrum: Array) -> Array:
    """Where the runs start."""
    return np.full(len(spectrum), OPTIMUM + 1)


@dataclass(frozen=True, slots=True)
class Followed:
    """What was seen of the modes: outcomes, distances with those that are due, and what may err."""

    outcomes: list[Outcome]
    distances: list[tuple[float, float, float]]

    def evidence(self, bounds: Sequence[float]) -> Evidence:
        """With the theorem's bound on the largest mode at t = 1, 2, ..."""
        points: list[Point] = []
        outcomes = list(self.outcomes)
        for t, (seen, bound) in enumerate(zip(self.distances, bounds, strict=True), start=1):
            got, due, erring = seen
            outcomes.append(at_most(f"t = {t}: bound", got, bound, erring))
            if t & (t - 1) == 0:
                points.append((t, got, due, (max(due - erring, 0.0), due + erring)))
        return Evidence.of(outcomes, points)


def modes(
    u: float,
    run: Run,
    moved: Callable[[Array], Array],
    recursions: Sequence[tuple[float, float]],
    pull: float,
    beta: float,
    steps: int,
) -> Followed:
    """Steps from rest; recursions: trace and determinant of each mode.

    pull: the largest lr l. One step of momentum rounds p', lr g and momentum times a way or a
    velocity, which is the difference of two points however it is kept, a few times each; g is made
    in float64 of the point that is kept.
    """
    due = np.array([closed.mode(*r, steps) for r in recursions])
    responses = np.abs([closed.response(*r, steps) for r in recursions]).max(axis=0)
    errors: list[float] = []
    outcomes: list[Outcome] = []
    distances: list[tuple[float, float, float]] = []
    earlier = run.p
    for t in range(1, steps + 1):
        before = run.p
        x = moved(before)
        away = float(np.abs(before - OPTIMUM).max())
        ways = float(np.abs(x - before).max() + np.abs(before - earlier).max())
        size = float(np.abs(before).max() + np.abs(x).max() + np.abs(earlier).max())
        errors.append(u * (size + 4 * pull * (away + beta * ways) + 4 * beta * ways))
        # The closed form's own powers and cosines.
        own = 2.0**-53 * 64 * (t + 1) * float(responses[t])
        erring = rounding.carried(errors, responses.tolist()) + own
        gap = float(np.abs(x - OPTIMUM - due[:, t]).max())
        scale = float(responses[t])
        outcomes.append(Outcome(gap / erring, f"t = {t}: modes", 2 * erring / scale))
        distances.append((float(np.abs(x - OPTIMUM).max()), float(np.abs(due[:, t]).max()), erring))
        earlier = before
    return Followed(outcomes, distances)
