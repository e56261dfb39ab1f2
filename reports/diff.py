"""What changed between two certificates."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from truestep.properties.judge.results import HISTOGRAM_EDGES, CheckResult
from truestep.reports import certificate, numbers, prose, verdicts
from truestep.reports.certificate import Certificate
from truestep.reports.verdicts import VERDICTS


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines per heading.

    regressed: a check stopped passing, started failing or vanished, or a departure is new.
    """

    worse: Sequence[str] = ()
    missing: Sequence[str] = ()
    better: Sequence[str] = ()
    new: Sequence[str] = ()
    other: Sequence[str] = ()
    looser: Sequence[str] = ()
    tighter: Sequence[str] = ()
    notes: Sequence[str] = ()
    regressed: bool = False


def difference(old: Certificate, new: Certificate) -> Difference:
    """Compare check by check; utilisation counts as moved when it left its bin of the histogram."""
    lines: dict[str, list[str]] = defaultdict(list)
    before, after = _checks(old), _checks(new)
    if old.get("shard") != new.get("shard"):
        # Of a part and of what it is no part of, only what both have can be compared.
        both = before.keys() & after.keys()
        before, after = ({id: held[id] for id in both} for held in (before, after))
    regressed = False
    for id in sorted(before.keys() | after.keys()):
        if id not in after:
            lines["missing"].append(f"{id}  (was {_shown(before[id])})")
            regressed |= before[id].verdict == "pass"
        elif id not in before:
            lines["new"].append(f"{id}  {_shown(after[id])}")
            regressed |= VERDICTS[after[id].verdict].failing
        elif where := _place(before[id], after[id]):
            lines[where].append(f"{id}  {_shown(before[id])} → {_shown(after[id])}")
            regressed |= where == "worse"
    was, now = (_departures(document) for document in (old, new))
    lines["worse"] += [f"departure  {one}" for one in now if one not in was]
    lines["better"] += [f"departure no more  {one}" for one in was if one not in now]
    regressed |= not set(now) <= set(was)
    return Difference(**lines, notes=_notes(old, new), regressed=regressed)


def _checks(document: Certificate) -> dict[str, CheckResult]:
    return {check["id"]: certificate.result(check) for check in document["checks"]}


def _departures(document: Certificate) -> list[str]:
    return verdicts.departures(_checks(document).values(), document["findings"])


def _place(old: CheckResult, new: CheckResult) -> str:
    if old.verdict != new.verdict:
        if new.verdict == "pass":
            return "better"
        failing = VERDICTS[new.verdict].failing and not VERDICTS[old.verdict].failing
        return "worse" if old.verdict == "pass" or failing else "other"
    if old.utilisation is None or new.utilisation is None:
        return ""
    one, two = (bisect_left(HISTOGRAM_EDGES, x) for x in (old.utilisation, new.utilisation))
    return "" if one == two else "looser" if two > one else "tighter"


def _shown(check: CheckResult) -> str:
    text = f"{VERDICTS[check.verdict].symbol} {check.verdict}"
    used = check.utilisation
    return text if used is None else f"{text} {numbers.utilisation(used)}"


def _notes(old: Certificate, new: Certificate) -> list[str]:
    """Differences of the runs themselves, which may explain those of the checks."""
    one, two = _run(old), _run(new)
    names = [*one, *sorted(two.keys() - one.keys())]
    return [
        f"{name}: {one.get(name)} → {two.get(name)}"
        for name in names
        if one.get(name) != two.get(name)
    ]


def _run(document: Certificate) -> dict[str, object]:
    """What may decide a run's verdicts, by the name under which it is told."""
    return {
        "backend": document["backend"]["name"],
        "suite version": document["suite"]["version"],
        **{name: document[name] for name in ("level", "seed", "only", "complete")},
        "shard": prose.shard(document) or "of a whole run",
        **{name: document["environment"][name] for name in ("python", "cpu")},
        **document["environment"]["libraries"],
    }
