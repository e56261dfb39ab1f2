from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.contracts import Judged, judge
from truestep.properties.kinds.optimizer.step import BackendFault, BackendRaised
from truestep.properties.search import exploration
from truestep.properties.search.budget import Budget, OutOfTime
from truestep.properties.search.exploration import Drawn, Listed, Tally, explore, run_all
from truestep.properties.search.shared import searched

FLOAT32 = PROFILES["ieee_float32"]


def _judged(utilisation: float) -> Judged:
    due = Bounded(np.zeros(1), np.ones(1), FLOAT32, FLOAT32.format)
    oracle = Bounded(np.zeros(1), np.zeros(1), FLOAT32, FLOAT32.format)
    return Judged(0, 0, 0, "p", judge(np.array([utilisation]), due, oracle))


def _count(case: int, tally: Tally) -> None:
    tally.add(case, [_judged(case / 100)], None)


def _explore(
    run: Any, examples: int = 200, seed: int = 0, *, simplified: bool = True
) -> tuple[Tally, list[int]]:
    started: list[int] = []
    tally = explore(
        st.integers(0, 1000), run, examples=examples, seed=seed, started=started.append,
        simplified=simplified,
    )  # fmt: skip
    return tally, started


def test_a_failing_case_is_shrunk_to_the_least() -> None:
    """Of all cases beyond the slack the simplest is kept: 201 of 201, 202, ..., 1000."""
    tally, started = _explore(_count)
    assert tally.failed
    assert tally.worst_case == 201
    assert tally.utilisation == 2.01
    assert tally.examples <= len(started)


def test_counts_stop_at_the_first_failure() -> None:
    """Shrinking does not inflate the numbers of examples and elements."""
    tally, _ = _explore(_count)
    assert tally.elements <= tally.examples
    assert int(tally.histogram.sum()) == tally.judged


def test_the_worst_passing_case_is_kept() -> None:
    """Without a failure the largest utilisation and its case are recorded, from all examples."""
    tally, started = _explore(lambda case, t: t.add(case, [_judged(case / 1000)], None))
    assert not tally.failed
    assert tally.examples == len(started)
    assert tally.worst_case == max(started)
    assert tally.utilisation == max(started) / 1000


def test_the_seed_decides_the_cases() -> None:
    """One seed gives one sequence of cases; another gives another."""

    def passing(case: int, tally: Tally) -> None:
        tally.add(case, [_judged(0.0)], None)

    first = _explore(passing, examples=30, seed=1)[1]
    assert _explore(passing, examples=30, seed=1)[1] == first
    assert _explore(passing, examples=30, seed=2)[1] != first


@pytest.mark.parametrize(
    ("error", "crashed"), [(BackendFault("wrong shape"), False), (BackendRaised("boom"), True)]
)
def test_faults_and_exceptions_of_the_backend_end_the_search(
    error: Exception, crashed: bool
) -> None:
    """A broken protocol is a failure, an exception a crash; both keep message and case."""

    def run(case: int, tally: Tally) -> None:
        if case > 50:
            raise error

    tally, _ = _explore(run)
    assert (tally.failed, tally.crashed) == (True, crashed)
    assert tally.worst_case == 51
    assert str(error) in tally.message


def test_an_error_of_our_own_is_not_blamed_on_the_backend() -> None:
    """What is neither a judgement nor the backend's own doing is raised."""

    def run(case: int, tally: Tally) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        _explore(run)


def test_results_that_change_from_call_to_call_are_named() -> None:
    """A kernel that fails once and then passes on the same input is told as such."""
    calls = iter(range(10**6))

    def run(case: int, tally: Tally) -> None:
        tally.add(case, [_judged(9.0 if next(calls) == 3 else 0.0)], None)

    tally, _ = _explore(run)
    assert tally.failed
    assert "identical calls gave different results" in tally.message


def test_shrinking_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time to simplify, the first failing case is the one that is kept."""
    monkeypatch.setattr(exploration, "SIMPLER", 0)
    tally, started = _explore(_count)
    assert tally.failed
    assert tally.worst_case == started[-1] > 200


def test_simpler_cases_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are allowed, after the one that failed."""
    for allowed in (1, 4):
        monkeypatch.setattr(exploration, "SIMPLER", allowed)
        started: list[int] = []

        def run(case: int, tally: Tally, started: list[int] = started) -> None:
            started.append(case)
            _count(case, tally)

        _explore(run)
        first = next(i for i, case in enumerate(started) if case > 200)
        assert len(started) - first - 1 == allowed


def test_what_hypothesis_draws_elsewhere_is_as_before() -> None:
    """A search borrows its settings, whatever ends it."""

    def borrowed() -> tuple[object, ...]:
        kept = exploration.HypothesisProvider.__dict__["_local_constants"]
        return kept, exploration.providers.CONSTANTS_CACHE

    before = borrowed()
    _explore(_count)
    assert all(now is was for now, was in zip(borrowed(), before, strict=True))

    def late(case: int, tally: Tally) -> None:
        assert all(now is not was for now, was in zip(borrowed(), before, strict=True))
        raise OutOfTime(0)

    with pytest.raises(OutOfTime):
        _explore(late)
    assert all(now is was for now, was in zip(borrowed(), before, strict=True))


def test_the_deepest_level_may_have_cases_of_its_own() -> None:
    """Where it has none, those of the others."""
    usual, deep = (lambda _: [1]), (lambda _: [2])
    own: Listed[Any] = Listed(usual, deep)
    assert [own.at(level)(0) for level in ("smoke", "standard", "deep")] == [[1], [1], [2]]  # type: ignore[arg-type]
    assert Listed(usual).at("deep") is usual


def test_given_cases_run_in_order_until_one_fails() -> None:
    """run_all stops at the first failure and counts what it ran."""
    started: list[int] = []
    tally = run_all([1, 2, 300, 4], _count, started.append)
    assert started == [1, 2, 300]
    assert (tally.failed, tally.worst_case, tally.examples) == (True, 300, 3)


def test_what_cannot_be_simplified_is_run_once_more_and_kept() -> None:
    """The first failing case is the one that is told, and its failure is one that repeats."""
    tally, started = _explore(_count, simplified=False)
    assert tally.failed and tally.worst_case == started[-1] == started[-2] and not tally.message
    calls = iter(range(10**6))

    def run(case: int, tally: Tally) -> None:
        tally.add(case, [_judged(9.0 if next(calls) == 3 else 0.0)], None)

    tally, _ = _explore(run, simplified=False)
    assert tally.failed and tally.message == "identical calls gave different results"


def test_first_cases_come_before_the_drawn_ones_and_count() -> None:
    """Whatever chance draws, they are tried, in order; as many fewer are drawn."""
    started: list[int] = []

    def run(case: int, tally: Tally) -> None:
        tally.add(case, [_judged(0.0)], None)

    def all_of(examples: int) -> Tally:
        started.clear()
        return explore(
            st.integers(0, 1000), run, examples=examples, seed=0, started=started.append,
            first=(-3, -2, -1),
        )  # fmt: skip

    assert all_of(10).examples == len(started) == 10
    assert started[:3] == [-3, -2, -1]
    assert all_of(2).examples == 2 and started == [-3, -2]


def test_a_seed_stands_for_the_same_cases_whatever_modules_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hypothesis draws constants of the modules that it takes for the user's own."""

    def passing(case: int, tally: Tally) -> None:
        tally.add(case, [_judged(0.0)], None)

    before = _explore(passing)[1]
    source = tmp_path / "module_with_constants.py"
    source.write_text(f"CONSTANTS = {list(range(7, 1000, 2))}")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("module_with_constants")
    assert _explore(passing)[1] == before


def test_time_that_ends_before_a_failure_ends_the_search() -> None:
    """Whoever searches is told; what had failed by then stays failed, simplified or not."""

    def late(case: int, tally: Tally) -> None:
        if tally.examples == 7 and not tally.failed:
            raise OutOfTime(tally.examples)

    with pytest.raises(OutOfTime, match="7") as raised:
        _explore(late)
    assert raised.value.cases == 7

    def failed(case: int, tally: Tally) -> None:
        if tally.failed:
            raise OutOfTime(tally.examples)
        _count(case, tally)

    tally, _ = _explore(failed)
    assert tally.failed and tally.worst_case is not None

    def once(case: int, tally: Tally) -> None:
        if tally.examples == 0:  # the case is tried again by itself
            raise OutOfTime(0)
        _count(case, tally)

    tally, _ = _explore(once, simplified=False)
    assert tally.failed


def test_a_budget() -> None:
    """At most so many cases; a clock that has not ended says nothing, nor one that never does."""
    assert (Budget(3).of(5), Budget(3).of(2), Budget().of(5)) == (3, 2, 5)
    tally, other = Tally(), Tally()
    tally.examples, other.failed = 4, True
    Budget().begin().look(tally)
    Budget(seconds=1e6).begin().look(tally)
    ended = Budget(seconds=1e-9).begin()
    ended.look(other)
    with pytest.raises(OutOfTime) as raised:
        ended.look(tally)
    assert raised.value.cases == 4
    with pytest.raises(ValueError, match="max_examples must be at least 1, got 0"):
        Budget(cases=0)
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds, got 0"):
        Budget(seconds=0.0)


def test_a_budget_of_cases_is_kept_for_those_that_are_shared() -> None:
    """Drawn and listed cases, anew and as they are kept; the kept ones are those of the budget."""
    drawn: Drawn[Any] = Drawn(st.integers(0, 1000), {"smoke": 9, "standard": 9, "deep": 9})
    listed: Listed[Any] = Listed(lambda seed: list(range(9)))

    def tried(source: Any, budget: Budget) -> int:
        return searched(
            source, "a test of budgets", "smoke", 0, lambda *_: None, lambda _: None,
            told=True, budget=budget,
        ).examples  # fmt: skip

    for source in (drawn, listed):
        counts = [tried(source, budget) for budget in (Budget(4), Budget(), Budget(4), Budget(20))]
        assert counts == [4, 9, 4, 9]
