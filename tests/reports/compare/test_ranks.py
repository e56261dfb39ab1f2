"""Ranks with intervals, fronts and budgets."""

from __future__ import annotations

import numpy as np
import pytest
from click import ClickException

from truestep.reports.compare import budget
from truestep.reports.compare.pareto import front
from truestep.reports.compare.ranks import places


def test_rules_far_apart_have_one_rank_each() -> None:
    """Intervals of one place, in the order of the means."""
    losses = {
        name: [x, x + 0.01, x - 0.01, x + 0.02] for name, x in zip("cab", (3, 1, 2), strict=True)
    }
    found = places(losses)
    assert [(found[n].rank, found[n].best, found[n].worst) for n in "abc"] == [
        (1, 1, 1), (2, 2, 2), (3, 3, 3),
    ]  # fmt: skip


def test_rules_that_only_chance_tells_apart_share_all_ranks() -> None:
    """Of 60 comparisons of five equal rules at most 5 % tell any apart, within binomial chance.

    With level 5 %, 12 or more of 60 have a probability below 1e-4.
    """
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(60):
        found = places({name: rng.normal(size=4).tolist() for name in "abcde"})
        wrong += any((x.best, x.worst) != (1, 5) for x in found.values())
    assert wrong < 12


def test_intervals_hold_the_rank_and_runs_without_spread_are_compared() -> None:
    """Equal runs share their places; rules that never moved are told from those that did."""
    found = places({"a": [1.0] * 4, "b": [1.0] * 4, "c": [2.0] * 4})
    assert [(found[n].best, found[n].worst) for n in "abc"] == [(1, 2), (1, 2), (3, 3)]
    assert all(x.best <= x.rank <= x.worst for x in found.values())


def test_a_front_has_what_nothing_beats_in_both() -> None:
    """Ties stay; what is worse in one and no better in the other leaves."""
    points = {"a": (0.0, 3.0), "b": (1.0, 2.0), "c": (1.0, 2.0), "d": (1.0, 2.5), "e": (2.0, 2.0)}
    assert front(points) == ["a", "b", "c"]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("40m", 2400), ("1.5h", 5400)])
def test_a_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    """Nothing else is."""
    assert budget.seconds_of(text) == seconds
    for wrong in ("40", "m", "-1m", "0m", "40 m", "1e3s"):
        with pytest.raises(ValueError, match="like 40m"):
            budget.seconds_of(wrong)


def test_steps_follow_from_the_budget_and_too_little_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same steps for all; what is needed is told."""
    language = pytest.importorskip("truestep.reports.compare.language", reason="needs torch")
    monkeypatch.setattr(language, "cost", lambda key: (1.0, 0.01))
    steps = budget.steps_of(["adamw", "lion"], ["transformer"], 600.0, 2)
    assert steps == {"transformer": min(int((540 * 2 * 0.85 - 26) / 0.26) // 10 * 10, 1000)}
    with pytest.raises(ClickException, match=r"1\.08 minutes are too few here, about 2 are needed"):
        budget.steps_of(["adamw", "lion"], ["transformer"], 65.0, 1)
