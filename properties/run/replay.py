"""Running one recorded case again: a certificate's, or by a failing check's snippet."""

import json
import sys

from truestep.fast import discovery
from truestep.properties.judge.records import named
from truestep.properties.judge.results import CheckResult, Record
from truestep.properties.run.plan import checks_of, replay_check


def replay(backend: str, entry: Record) -> CheckResult:
    """Run the recorded case of a certificate's check again, in this process.

    Raises ValueError if no case was recorded, or the backend has no such check any more.
    """
    worst = entry["worst"]
    if not isinstance(worst, dict) or "case" not in worst:
        raise ValueError(f"check {entry['id']!r} has no recorded case")
    return _run_again(backend, str(entry["id"]), worst["case"])


def case(backend: str, check: str, record: str | Record) -> CheckResult:
    """Run a recorded case (a mapping or JSON) of a check; print and return the outcome."""
    result = _run_again(backend, check, json.loads(record) if isinstance(record, str) else record)
    told = result.message or f"{result.id}: {result.verdict}, utilisation {result.utilisation}"
    sys.stdout.write(told + "\n")
    return result


def _run_again(backend: str, check: str, case: Record) -> CheckResult:
    loaded = discovery.load(backend)
    checks = {c.id: c for c in checks_of(loaded)}
    if check not in checks:
        raise ValueError(f"{backend} has no check {check!r}")
    return named(replay_check(loaded, checks[check], case), backend)
