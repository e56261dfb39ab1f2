"""Re-running one recorded case; ``case`` is what the snippet of a failing check's message calls."""

from __future__ import annotations

import json
import sys

from truestep.fast import discovery
from truestep.properties.judge.records import named
from truestep.properties.judge.results import CheckResult, Record
from truestep.properties.run.plan import checks_of, replay_check


def replay(backend: str, check: str, case: Record) -> CheckResult:
    """Run a recorded case of a check. Raises ValueError if the backend has no such check (now)."""
    loaded = discovery.load(backend)
    checks = {c.id: c for c in checks_of(loaded)}
    if check not in checks:
        raise ValueError(f"{backend} has no check {check!r}")
    return named(replay_check(loaded, checks[check], case), backend)


def case(backend: str, check: str, record: str | Record) -> CheckResult:
    """Run a recorded case (a mapping or JSON) of a check; print and return the outcome."""
    result = replay(backend, check, json.loads(record) if isinstance(record, str) else record)
    told = result.message or f"{result.id}: {result.verdict}, utilisation {result.utilisation}"
    sys.stdout.write(told + "\n")
    return result
