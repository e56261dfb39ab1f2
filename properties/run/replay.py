"""Running one recorded case again: a certificate's, or by a failing check's snippet."""

import json
import sys
from collections.abc import Sequence

from truestep.fast import discovery
from truestep.fast.protocol import Backend
from truestep.properties.judge.records import named
from truestep.properties.judge.results import CheckResult, Record
from truestep.properties.run.plan import checks_of, replay_check
from truestep.reference import own


def replay(backend: Backend, entry: Record) -> CheckResult:
    """Run the recorded case of a certificate's check again.

    Raises ValueError if no case was recorded, or the backend has no such check any more.
    """
    worst = entry["worst"]
    if not isinstance(worst, dict) or "case" not in worst:
        raise ValueError(f"check {entry['id']!r} has no recorded case")
    return _run_again(backend, str(entry["id"]), worst["case"])


def case(backend: str, check: str, record: str | Record, rules: Sequence[str] = ()) -> CheckResult:
    """Run a recorded case (a mapping or JSON) of a check in this process; print the outcome.

    rules: of one's own, "file.py" or "package.module", which the check is of.
    """
    own.load(*rules)
    given = json.loads(record) if isinstance(record, str) else record
    result = named(_run_again(discovery.load(backend), check, given), backend)
    told = result.message or f"{result.id}: {result.verdict}, utilisation {result.utilisation}"
    sys.stdout.write(told + "\n")
    return result


def _run_again(backend: Backend, check: str, case: Record) -> CheckResult:
    checks = {c.id: c for c in checks_of(backend)}
    if check not in checks:
        raise ValueError(f"{backend.name} has no check {check!r}")
    return replay_check(backend, checks[check], case)
