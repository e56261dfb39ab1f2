"""What changed between two certificates."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from truestep.properties.judge.results import HISTOGRAM_EDGES
from truestep.reports import numbers
from truestep.reports.certificate import Certificate, as_float
from truestep.reports.summary import FAILING, SYMBOLS


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines per heading. regressed: a check stopped passing, started failing, or vanished."""

    worse: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    looser: list[str] = field(default_factory=list)
    tighter: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    regressed: bool = False


def difference(old: Certificate, new: Certificate) -> Difference:
    """Compare check by check; utilisation counts as moved when it left its bin of the histogram."""
    found = Difference(notes=_notes(old, new))
    before = {check["id"]: check for check in old["checks"]}
    after = {check["id"]: check for check in new["checks"]}
    regressed = False
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.missing.append(f"{name}  (was {_shown(before[name])})")
            regressed |= before[name]["verdict"] == "pass"
        elif name not in before:
            found.new.append(f"{name}  {_shown(after[name])}")
            regressed |= after[name]["verdict"] in FAILING
        else:
            line = f"{name}  {_shown(before[name])} → {_shown(after[name])}"
            where = _place(before[name], after[name])
            regressed |= where == "worse"
            if where:
                getattr(found, where).append(line)
    return Difference(
        found.worse, found.missing, found.better, found.new, found.other, found.looser,
        found.tighter, found.notes, regressed,
    )  # fmt: skip


def _place(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    was, is_now = old["verdict"], new["verdict"]
    if was != is_now:
        if is_now == "pass":
            return "better"
        if was == "pass" or (is_now in FAILING and was not in FAILING):
            return "worse"
        return "other"
    one, two = _bin(old), _bin(new)
    if one is None or two is None or one == two:
        return ""
    return "looser" if two > one else "tighter"


def _bin(check: Mapping[str, Any]) -> int | None:
    value = check["utilisation"]
    return None if value is None else bisect_left(HISTOGRAM_EDGES, as_float(value))


def _shown(check: Mapping[str, Any]) -> str:
    text = f"{SYMBOLS[check['verdict']]} {check['verdict']}"
    return text if check["utilisation"] is None else (
        f"{text} {numbers.utilisation(check['utilisation'])}"
    )  # fmt: skip


def _notes(old: Certificate, new: Certificate) -> list[str]:
    """Differences of the runs themselves, which may explain those of the checks."""
    pairs: list[tuple[str, Any, Any]] = [
        ("backend", old["backend"]["name"], new["backend"]["name"]),
        ("suite version", old["suite"]["version"], new["suite"]["version"]),
        ("level", old["level"], new["level"]),
        ("seed", old["seed"], new["seed"]),
        ("only", old["only"], new["only"]),
        ("complete", old["complete"], new["complete"]),
        ("python", old["environment"]["python"], new["environment"]["python"]),
        ("cpu", old["environment"]["cpu"], new["environment"]["cpu"]),
    ]
    ours, theirs = old["environment"]["libraries"], new["environment"]["libraries"]
    pairs += [
        (name, ours.get(name), theirs.get(name)) for name in sorted(ours.keys() | theirs.keys())
    ]
    return [f"{what}: {was} → {is_now}" for what, was, is_now in pairs if was != is_now]
