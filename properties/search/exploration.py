"""Searching for the worst case: Hypothesis draws cases, a tally keeps what they showed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from truestep.properties.judge.contracts import SLACK, Judged
from truestep.properties.judge.results import HISTOGRAM_EDGES
from truestep.properties.kinds.optimizer.step import BackendFault, BackendRaised


class ContractBroken(AssertionError):
    """An element lies farther from the oracle than any faithful kernel may put it."""


_FAILURES = (ContractBroken, BackendFault, BackendRaised)
# Seconds that may go into simplifying a failing case; a case that is not minimal still fails.
SHRINKING = 2.0


@dataclass(slots=True)
class Tally:
    """What the cases of one check showed; counting stops at the first failure."""

    examples: int = 0
    elements: int = 0
    judged: int = 0
    utilisation: float | None = None
    oracle_fraction: float = 0.0
    histogram: Any = field(
        default_factory=lambda: np.zeros(len(HISTOGRAM_EDGES) + 1, dtype=np.int64)
    )
    worst_case: Any = None
    worst: Judged | None = None
    context: Any = None
    failed: bool = False
    crashed: bool = False
    message: str = ""

    def add(self, case: Any, found: Iterable[Judged], context: Any) -> None:
        """Count judgements of a case; raise ContractBroken at one beyond the slack."""
        for item in found:
            j = item.judgement
            if not self.failed:
                self.elements += j.elements
                self.judged += j.judged
                self.histogram += j.histogram
                self.oracle_fraction = max(self.oracle_fraction, j.oracle_fraction)
            if j.utilisation is None:
                continue
            if j.utilisation > SLACK:
                self.failed = True
                self.utilisation = j.utilisation
                self.worst_case, self.worst, self.context = case, item, context
                self.crashed, self.message = False, ""
                raise ContractBroken(f"{item.tensor}: utilisation {j.utilisation:.3g}")
            if not self.failed and (self.utilisation is None or j.utilisation > self.utilisation):
                self.utilisation = j.utilisation
                self.worst_case, self.worst, self.context = case, item, context


def explore(
    strategy: SearchStrategy[Any],
    run: Callable[[Any, Tally], None],
    *,
    examples: int,
    seed: int,
    started: Callable[[Any], None],
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
    def search(case: Any) -> None:
        if shrinking.ended():
            return shrinking.recall(case)
        started(case)
        if not tally.failed:
            tally.examples += 1
        try:
            _guarded(case, tally, run)
        except _FAILURES as failure:
            shrinking.note(case, failure)
            raise

    shrinking = _Shrinking()
    try:
        search()
    except _FAILURES:
        pass
    except Flaky:
        tally.message = f"identical calls gave different results; {tally.message}".strip()
    return tally


class _Shrinking:
    """Bounds the time that goes into simplifying a failure: later candidates count as passing."""

    def __init__(self) -> None:
        self.failures: list[tuple[Any, Exception]] = []
        self.since: float | None = None

    def note(self, case: Any, failure: Exception) -> None:
        """Remember a failing case."""
        self.failures.append((case, failure))
        self.since = time.monotonic() if self.since is None else self.since

    def ended(self) -> bool:
        """Whether the time for simplifying is over."""
        return self.since is not None and time.monotonic() - self.since > SHRINKING

    def recall(self, case: Any) -> None:
        """Fail again where the case failed before, without running it."""
        for known, failure in self.failures:
            if known == case:
                raise failure


def run_all(
    cases: Sequence[Any],
    run: Callable[[Any, Tally], None],
    started: Callable[[Any], None],
) -> Tally:
    """Run given cases in order until one fails."""
    tally = Tally()
    for case in cases:
        started(case)
        tally.examples += 1
        try:
            _guarded(case, tally, run)
        except _FAILURES:
            break
    return tally


def _guarded(case: Any, tally: Tally, run: Callable[[Any, Tally], None]) -> None:
    try:
        run(case, tally)
    except (BackendFault, BackendRaised) as fault:
        tally.failed, tally.worst, tally.worst_case = True, None, case
        tally.crashed = isinstance(fault, BackendRaised)
        tally.message = str(fault)
        raise
