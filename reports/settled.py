"""What the results of a run come to, whichever of its processes or machines had one of them first.

Two things depend on more than one check: a capability that has crashed often enough is not run any
further, and the check of the backend's conduct is about all calls. Both are worked out here once
more, in the order of the checks' ids, so that a run in parts ends with the certificate of a whole.
"""

from collections import defaultdict
from collections.abc import Sequence

from truestep.properties.judge.results import CheckResult
from truestep.properties.run import conduct, pool
from truestep.reports import certificate
from truestep.reports.certificate import Record

# What a result that is not run has in common with the one in whose place it stands.
_KEPT = ("id", "kind", "rule", "check", "dialect", "format", "variant")


def settled(checks: Sequence[Record]) -> list[Record]:
    """The results, as JSON can hold them, in the order of their ids.

    Those of conduct, one of each part of the run, become one.
    """
    ordered = sorted(checks, key=lambda check: str(check["id"]))
    found = _given_up([check for check in ordered if check["kind"] != conduct.KIND])
    of_conduct = [check for check in ordered if check["kind"] == conduct.KIND]
    return [*found, *([_conduct(found, of_conduct)] if of_conduct else [])]


def _given_up(checks: Sequence[Record]) -> list[Record]:
    lost: defaultdict[tuple[str, ...], int] = defaultdict(int)
    found = []
    for check in checks:
        # A capability is all of an id but what was checked.
        capability = tuple(check[name] for name in ("kind", "rule", "format", "variant"))
        if lost[capability] >= pool.STRIKES:
            check = _not_run(check)
        lost[capability] += pool.Done.of(check.get("extra", {})).lost
        found.append(check)
    return found


def _not_run(check: Record) -> Record:
    kept = {name: check[name] for name in _KEPT}
    given_up = CheckResult(
        **kept, contract="", verdict="not_run", message=pool.GIVEN_UP,
        departures=check.get("departures", {}),
    )  # fmt: skip
    record: Record = certificate.plain(given_up.to_json())
    return record


def _conduct(checks: Sequence[Record], parts: Sequence[Record]) -> Record:
    left = [
        f"{words}: {check['id']}"
        for check in checks
        for words in pool.Done.of(check.get("extra", {})).left
    ]
    behind = [words for part in parts for words in pool.Done.of(part.get("extra", {})).left]
    whole = conduct.concluded(conduct.check(), len(checks), left, behind)
    record: Record = certificate.plain(whole.to_json())
    return record
