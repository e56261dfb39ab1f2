"""Groups of checks: what the page says of one rule in one format and variant of one backend."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from truestep.properties.judge.results import HISTOGRAM_EDGES, CheckResult
from truestep.reports import counterexample, listing, verdicts
from truestep.reports.counterexample import Counterexample, Finding
from truestep.reports.verdicts import TOLD, Tally


@dataclass(frozen=True, slots=True)
class Gap:
    """Checks without a verdict that share a reason."""

    verdict: str
    reason: str
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Group:
    """The checks of one capability: one rule in one format and variant of one backend.

    label: variant and format ("fused float32"). anchor: the fragment of the page that shows it.
    dialect: in words, empty for the paper's form. failures: those with numbers to show first.
    worst: the passing check that used most of its bound. histogram: judged elements by utilisation,
    empty where none was counted.
    """

    backend: str
    kind: str
    rule: str
    label: str
    anchor: str
    dialect: Sequence[str]
    checks: Sequence[CheckResult]
    tally: Tally
    failures: Sequence[Counterexample]
    worst: Counterexample | None
    gaps: Sequence[Gap]
    histogram: Sequence[int]


def groups_of(
    name: str, spec: str, checks: Sequence[CheckResult], findings: Sequence[Finding]
) -> list[Group]:
    """A backend's groups; findings: about every backend."""
    members: dict[tuple[str, ...], list[CheckResult]] = {}
    for check in checks:
        place = (check.kind, check.rule, check.format, check.variant)
        members.setdefault(place, []).append(check)
    own = [finding for finding in findings if finding.backend == name]
    return [_group(name, spec, found, own) for found in members.values()]


def _group(
    backend: str, spec: str, checks: Sequence[CheckResult], findings: Sequence[Finding]
) -> Group:
    first = checks[0]
    failing = [check for check in checks if check.verdict in TOLD]
    shown = (check for check in checks if check.verdict not in TOLD and check.worst)
    used = [check for check in shown if check.utilisation is not None]
    worst = max(used, key=lambda check: check.utilisation or 0.0, default=None)
    counted = [c.histogram for c in checks if len(c.histogram) == len(HISTOGRAM_EDGES) + 1]
    histogram = [sum(column) for column in zip(*counted, strict=True)]
    failures = [counterexample.of(spec, check, findings) for check in failing]
    failures.sort(key=lambda shown: (shown.check.utilisation is None, shown.order))
    return Group(
        backend=backend,
        kind=first.kind,
        rule=first.rule,
        label=" ".join(filter(None, (first.variant, first.format))),
        anchor=anchor(backend, first),
        dialect=listing.dialect_in_words(first.kind, first.rule, first.dialect),
        checks=checks,
        tally=verdicts.tally(checks),
        failures=failures,
        worst=counterexample.of(spec, worst) if worst else None,
        gaps=gaps((check.check, check) for check in checks),
        histogram=histogram if any(histogram) else [],
    )


def gaps(named: Iterable[tuple[str, CheckResult]]) -> list[Gap]:
    """What is open, by verdict and reason, the most frequent first."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, check in named:
        if check.verdict not in ("pass", *TOLD):
            reason = check.message.partition("\n")[0] or "no reason recorded"
            found.setdefault((check.verdict, reason), []).append(name)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Gap(verdict, reason, names) for (verdict, reason), names in ordered]


def anchor(backend: str, check: CheckResult) -> str:
    """The fragment of the page's address that shows the check's group."""
    parts = (backend, check.kind, check.rule, check.format, check.variant)
    return "-".join(fragment(part) for part in parts if part)


def anchor_of(group: str, check: str) -> str:
    """The fragment that shows one check of a group, the same in every report."""
    return f"{group}:{fragment(check)}"


@lru_cache(maxsize=4096)
def fragment(text: str) -> str:
    """A text as a part of an address."""
    return "".join(c if c.isalnum() or c in "._" else "-" for c in text)
