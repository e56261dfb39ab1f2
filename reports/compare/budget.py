"""How long every run may be, so that all of them fit into a time that is given."""

from __future__ import annotations

import re
from collections.abc import Sequence

from click import ClickException

from truestep.reports.compare import convex, tuning
from truestep.reports.compare.campaign import TRANSFORMER
from truestep.reports.compare.outcome import Key

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
# Steps of the transformer: below, nothing is learned yet; above, the text has no more to say.
FEWEST, MOST = 50, 1000
# The share of the time that is given to the runs; the rest is for what cannot be foreseen.
_SHARE = 0.85
# Seconds of starting processes, judging kernels and timing them.
_BESIDE = 60.0
_STEPS_TRIED = 40


def seconds_of(text: str) -> float:
    """Seconds of a text like "40m"; raises ValueError for what is no time."""
    if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)) or not float(found[1]):
        raise ValueError(f"a time is a number and s, m or h, like 40m; got {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def steps_of(
    rules: Sequence[str], problems: Sequence[str], budget: float, workers: int
) -> dict[str, int]:
    """By problem the steps of every run, the same for all rules, from processor times tried now.

    Raises ClickException where the time is not enough.
    """
    steps = {problem: convex.STEPS for problem in problems if problem != TRANSFORMER}
    available = (budget - _BESIDE) * workers * _SHARE
    for problem in steps:
        available -= sum(_convex(problem, rule) for rule in rules)
    if TRANSFORMER in problems:
        from truestep.reports.compare import language

        costs = [language.cost(Key(TRANSFORMER, rule, -6, 0)) for rule in rules]
        available -= tuning.RUNS * sum(fixed for fixed, _ in costs)
        each = tuning.RUNS * sum(step for _, step in costs)
        fitting = int(available / each) // 10 * 10
        if fitting < FEWEST:
            needed = budget + (FEWEST * each - available) / (workers * _SHARE)
            raise _too_little(budget, needed)
        steps[TRANSFORMER] = min(fitting, MOST)
    elif available < 0:
        raise _too_little(budget, budget - available / (workers * _SHARE))
    return steps


def _convex(problem: str, rule: str) -> float:
    """Seconds of all runs of a rule on a convex problem."""
    tried = convex.run(Key(problem, rule, -6, 0), _STEPS_TRIED).seconds
    return tuning.RUNS * tried * convex.STEPS / _STEPS_TRIED


def _too_little(budget: float, needed: float) -> ClickException:
    return ClickException(
        f"--budget: {budget / 60:.3g} minutes are too few here, about {needed / 60:.0f} are needed"
    )
