"""Searching for the worst case: Hypothesis draws cases, a tally keeps what they showed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from truestep.fast.protocol import Level
from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.tally import FAILURES, Case, Tally

C = TypeVar("C", bound=Case)

# Seconds that may go into simplifying a failing case; a case that is not minimal still fails.
SHRINKING = 2.0


@dataclass(frozen=True, slots=True)
class Drawn(Generic[C]):
    """Cases that Hypothesis draws, so many of them at each level."""

    strategy: SearchStrategy[C]
    examples: Mapping[Level, int]


@dataclass(frozen=True, slots=True)
class Listed(Generic[C]):
    """Cases that are all tried, in their order; made(seed): they may hang on the run's seed."""

    made: Callable[[int], Sequence[C]]


def explore(
    strategy: SearchStrategy[C],
    run: Callable[[C, Tally], None],
    *,
    examples: int,
    seed: int,
    started: Callable[[C], None],
) -> Tally:
    """Run run(case, tally) on drawn cases until one fails; a failing case is shrunk.

    started(case) is called before each case, so that a case that kills the process is known.
    A BackendFault or any exception of the backend ends the search with its message.
    """
    tally = Tally()

    @seeded(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if SHRINKING > 0 else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(strategy)
    def search(case: C) -> None:
        if shrinking.ended():
            return shrinking.recall(case)
        started(case)
        if not tally.failed:
            tally.examples += 1
        try:
            _guarded(case, tally, run)
        except FAILURES as failure:
            shrinking.note(case, failure)
            raise

    shrinking = _Shrinking()
    try:
        search()
    except FAILURES:
        pass
    except Flaky:
        tally.message = f"identical calls gave different results; {tally.message}".strip()
    return tally


class _Shrinking:
    """Bounds the time that goes into simplifying a failure: later candidates count as passing."""

    def __init__(self) -> None:
        self.failures: list[tuple[Case, Exception]] = []
        self.since: float | None = None

    def note(self, case: Case, failure: Exception) -> None:
        """Remember a failing case."""
        self.failures.append((case, failure))
        self.since = time.monotonic() if self.since is None else self.since

    def ended(self) -> bool:
        """Whether the time for simplifying is over."""
        return self.since is not None and time.monotonic() - self.since > SHRINKING

    def recall(self, case: Case) -> None:
        """Fail again where the case failed before, without running it."""
        for known, failure in self.failures:
            if known == case:
                raise failure


def run_all(
    cases: Sequence[C], run: Callable[[C, Tally], None], started: Callable[[C], None]
) -> Tally:
    """Run given cases in order until one fails."""
    tally = Tally()
    for case in cases:
        tally.examples += 1
        if fails(case, tally, run, started):
            break
    return tally


def fails(
    case: C, tally: Tally, run: Callable[[C, Tally], None], started: Callable[[C], None]
) -> bool:
    """Run one case, and tell whether it fails."""
    started(case)
    try:
        _guarded(case, tally, run)
    except FAILURES:
        return True
    return False


def _guarded(case: C, tally: Tally, run: Callable[[C, Tally], None]) -> None:
    try:
        run(case, tally)
    except (BackendFault, BackendRaised) as fault:
        tally.blame(case, fault)
        raise
