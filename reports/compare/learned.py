"""The learned axes: what the runs of one problem come to."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from truestep.reports.compare import tuning
from truestep.reports.compare.outcome import Key, Outcome
from truestep.reports.compare.ranks import Place, places


@dataclass(frozen=True, slots=True)
class Learned:
    """One rule on one problem.

    half: of the best rate. at_edge: whether no rate beyond it was tried. place: by the losses of
    the fresh seeds. diverged: the share of the grid's points that did. by_rate: loss at every rate
    that was tried, None where it diverged. to_target: steps until the mean curve of the fresh seeds
    reaches the target, None where it does not or there are no curves.
    """

    half: int
    at_edge: bool
    losses: Sequence[float]
    place: Place
    diverged: float
    by_rate: Mapping[int, float | None]
    curve: Sequence[tuple[int, float]]
    to_target: float | None

    @property
    def rate(self) -> float:
        """The best rate."""
        return float(10.0 ** (self.half / 2))


def learned(problem: str, rules: Sequence[str], found: Mapping[Key, Outcome]) -> dict[str, Learned]:
    """By rule, of a problem of which all runs are made."""
    runs = {rule: [found[k] for k in tuning.fresh(problem, rule, found)] for rule in rules}
    by_place = places({rule: [run.loss for run in of] for rule, of in runs.items()})
    target = statistics.median(place.mean for place in by_place.values())
    shown = {}
    for rule, of in runs.items():
        keys = tuning.tuning(problem, rule, found)
        half = tuning.best(keys, found).half
        curve = _mean_curve(of)
        shown[rule] = Learned(
            half=half,
            at_edge=half in (min(k.half for k in keys), max(k.half for k in keys)),
            losses=[run.loss for run in of],
            place=by_place[rule],
            diverged=statistics.mean(found[k].diverged for k in tuning.grid(problem, rule)),
            by_rate={k.half: None if found[k].diverged else found[k].loss for k in keys},
            curve=curve,
            to_target=_reached(curve, target),
        )
    return shown


def _mean_curve(runs: Sequence[Outcome]) -> list[tuple[int, float]]:
    """The mean of the runs' curves, where none of them ends early."""
    lengths = {len(run.curve) for run in runs}
    if len(lengths) != 1 or any(run.diverged for run in runs):
        return []
    rows = zip(*(run.curve for run in runs), strict=True)
    return [(points[0][0], statistics.mean(loss for _, loss in points)) for points in rows]


def _reached(curve: Sequence[tuple[int, float]], target: float) -> float | None:
    """The step at which the curve first reaches the target, between its points by a straight line.

    Tuning and judging are of the end of the decay alone; on the way, what decays late is behind.
    """
    for (before, high), (after, low) in pairwise(curve):
        if low <= target:
            return float(np.interp(target, [low, high], [after, before])) if high > low else after
    return None
