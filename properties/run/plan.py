"""The checks that a backend's capabilities call for, and how one of them is run or run again."""

import zlib
from collections.abc import Callable
from dataclasses import replace

from truestep.fast.protocol import Backend, Level
from truestep.properties.judge.calls import BackendLost
from truestep.properties.judge.records import crashed
from truestep.properties.judge.results import Check, CheckResult, Record
from truestep.properties.judge.tally import Case
from truestep.properties.kinds import kind as kinds
from truestep.properties.kinds.kind import LEVELS
from truestep.properties.kinds.table import KINDS
from truestep.properties.kinds.theorem.kind import TheoremKind
from truestep.properties.run.choosing import alike, chosen, matching
from truestep.properties.run.rounding import settled
from truestep.properties.search.budget import UNLIMITED, Budget, OutOfTime

__all__ = [
    "LEVELS",
    "Check",
    "alike",
    "checks_of",
    "chosen",
    "matching",
    "replay_check",
    "run_check",
    "runs",
]


def checks_of(backend: Backend) -> list[Check]:
    """Every check of a backend's results: theorems, each of which takes long, and the others."""
    capabilities = settled(backend)
    found = [check for c in capabilities if c.kind in KINDS for check in KINDS[c.kind].checks(c)]
    return [*TheoremKind().checks_of(capabilities), *found]


def runs(check: Check, level: Level) -> bool:
    """Whether a check is run at this level."""
    return LEVELS.index(KINDS[check.kind].least(check)) <= LEVELS.index(level)


def run_check(
    backend: Backend,
    check: Check,
    *,
    level: Level,
    seed: int,
    started: Callable[[Case], None] = lambda _: None,
    told: bool = True,
    budget: Budget = UNLIMITED,
) -> CheckResult:
    """Run one check; started(case) is called with each case before it runs.

    told: whether a failing case is simplified, and what the kernel computes instead identified.
    budget: what it may cost; one whose time ends is no pass.
    """
    kind = KINDS[check.kind]
    if not runs(check, level):
        return check.result("not_run", message=f"runs at level {kind.least(check)!r} and above")
    # Every check of a rule has a stream of its own, the same whichever other checks run and for all
    # implementations, so that what is evaluated for one of them serves the next.
    own = zlib.crc32(f"{check.kind}/{check.rule}/{check.name}".encode()) ^ seed
    latest: Case | None = None

    def noted(case: Case) -> None:
        nonlocal latest
        latest = case
        started(case)

    try:
        return kinds.run(
            kind, backend, check, level=level, seed=own, started=noted, told=told, budget=budget
        )
    except BackendLost as lost:
        return crashed(check, latest, str(lost))
    except OutOfTime as ended:
        message = f"out of time after {budget.seconds:g} s; cases tried: {ended}; none fails"
        return replace(check.result("error", message=message), examples=ended.cases)


def replay_check(backend: Backend, check: Check, case: Record) -> CheckResult:
    """Run a recorded case of a check again."""
    kind = KINDS[check.kind]
    try:
        return kinds.replay(kind, backend, check, case)
    except BackendLost as lost:
        return crashed(check, kind.case(check, case), str(lost))
