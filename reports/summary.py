"""What every rendering shows: groups of checks, the matrix, the verdict in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from truestep.reports import numbers
from truestep.reports.certificate import Certificate, as_float

# Order of the kinds on the page, with their headings; other kinds follow under their own name.
KINDS = {
    "optimizer": "Optimizers",
    "minimizer": "Rules that evaluate the function",
    "quantizer": "Quantizers",
    "schedule": "Schedules",
    "training": "Training loops",
    "theorem": "Theorems",
    "benchmark": "Benchmarks",
}

# A shape for each verdict, so that colour carries nothing alone.
SYMBOLS = {
    "pass": "✓",
    "fail": "✗",
    "crashed": "!",
    "not_judged": "?",
    "unsupported": "–",
    "not_run": "○",
}

WORDS = {
    "pass": "passes",
    "fail": "fails",
    "crashed": "crashed",
    "not_judged": "not judged",
    "unsupported": "unsupported",
    "not_run": "not run",
}

# The first of these that occurs among a group's checks is the group's: one failure fails it, and
# what could not be judged or run changes nothing for its neighbours.
_PRECEDENCE = ("crashed", "fail", "pass", "not_judged", "not_run", "unsupported")

FAILING = ("crashed", "fail")
_NOTHING_RAN = ("not_run", "unsupported")

Check = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """The checks of one capability: one rule in one format and variant of one backend.

    position: which of the certificates on the page it comes from. shown_at: the anchor of what
    stands for it on the page, where that is not its own.
    """

    position: int
    backend: str
    kind: str
    rule: str
    format: str
    variant: str
    dialect: Mapping[str, str]
    checks: Sequence[Check]
    shown_at: str = ""

    @property
    def label(self) -> str:
        """Variant and format: "fused float32"."""
        return " ".join(filter(None, (self.variant, self.format)))

    @property
    def anchor(self) -> str:
        """The fragment of the page that shows this group."""
        parts = (self.backend, self.kind, self.rule, self.format, self.variant)
        return self.shown_at or "-".join(_fragment(part) for part in parts if part)

    @property
    def verdict(self) -> str:
        """The verdict that decides for the group."""
        return worst_verdict(check["verdict"] for check in self.checks)

    @property
    def utilisation(self) -> float | None:
        """The largest utilisation of its checks, None where none has one."""
        return largest(self.checks)

    @property
    def ran(self) -> bool:
        """Whether any of its checks was run."""
        return self.verdict not in _NOTHING_RAN

    @property
    def outcome(self) -> str:
        """What stands in a cell without a number."""
        if self.verdict != "pass":
            return WORDS[self.verdict]
        contracts = {check["contract"] for check in self.checks if check["verdict"] == "pass"}
        return "exact" if contracts <= {"exact", "bitwise"} else "holds"

    @property
    def failing(self) -> list[Check]:
        """Checks that failed or crashed; those with numbers to show first."""
        found = [check for check in self.checks if check["verdict"] in FAILING]
        return sorted(found, key=lambda check: (check["utilisation"] is None, not check["worst"]))

    @property
    def open_questions(self) -> list[Check]:
        """Checks without a verdict: not judged, unsupported or not run."""
        return [check for check in self.checks if check["verdict"] not in ("pass", *FAILING)]

    @property
    def gaps(self) -> list[tuple[str, str, list[str]]]:
        """(verdict, reason, names of checks) of what is open, the most frequent first."""
        return reasons(self.open_questions, "check")

    @property
    def description(self) -> str:
        """What a screen reader says for the cell."""
        passed = sum(check["verdict"] == "pass" for check in self.checks)
        number = self.utilisation
        used = "" if number is None else f", utilisation {numbers.utilisation(number)}"
        of = ", ".join(filter(None, (self.backend, self.rule, self.label)))
        return (
            f"{of}: {WORDS[self.verdict]}{used}, "
            f"{passed} of {numbers.plural(len(self.checks), 'check')} pass"
        )


@dataclass(frozen=True, slots=True)
class Matrix:
    """One kind's table: rules down, (backend, variant and format) across.

    Of many backends each has one column, of label "". hidden: how many columns are left out because
    nothing in them was run.
    """

    kind: str
    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Group | None]]]
    hidden: int

    @property
    def backends(self) -> list[tuple[str, int]]:
        """Each backend with the number of columns it spans."""
        return [(name, len(list(found))) for name, found in groupby(c[0] for c in self.columns)]


def worst_verdict(verdicts: Iterable[str]) -> str:
    """The verdict of several checks together."""
    found = set(verdicts)
    return next(verdict for verdict in _PRECEDENCE if verdict in found)


def largest(checks: Iterable[Check]) -> float | None:
    """The largest utilisation, None where no check has one."""
    return max(
        (as_float(c["utilisation"]) for c in checks if c["utilisation"] is not None), default=None
    )


def reasons(checks: Iterable[Check], name: str) -> list[tuple[str, str, list[str]]]:
    """(verdict, reason, names) of checks without a verdict, the most frequent first."""
    found: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        if check["verdict"] in ("not_judged", "unsupported", "not_run"):
            reason = check["message"].partition("\n")[0] or "no reason recorded"
            found.setdefault((check["verdict"], reason), []).append(check[name])
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(verdict, reason, names) for (verdict, reason), names in ordered]


def names(certificates: Sequence[Certificate]) -> list[str]:
    """A distinct name per certificate: the backend's, numbered where two certificates share it."""
    given: list[str] = []
    for document in certificates:
        name, number = document["backend"]["name"], 1
        candidate = name
        while candidate in given:
            number += 1
            candidate = f"{name} ({number})"
        given.append(candidate)
    return given


def groups(certificates: Sequence[Certificate]) -> list[Group]:
    """All groups, by kind, rule, certificate, format and variant."""
    found: dict[tuple[int, str, str, str, str], list[Check]] = {}
    for position, document in enumerate(certificates):
        for check in document["checks"]:
            key = (position, check["kind"], check["rule"], check["format"], check["variant"])
            found.setdefault(key, []).append(check)
    titles = names(certificates)
    made = [
        Group(at, titles[at], kind, rule, format, variant, checks[0]["dialect"], checks)
        for (at, kind, rule, format, variant), checks in found.items()
    ]
    return sorted(
        made,
        key=lambda g: (_kind_rank(g.kind), g.kind, g.rule, g.position, _column_rank(g.label)),
    )


# Backends side by side up to which every variant and format has a column of its own.
FEW = 4


def _merged(found: Sequence[Group]) -> list[Group]:
    """One group for each rule of a backend, shown at the first that decides for it."""
    out = []
    for _, members in groupby(found, key=lambda g: (g.kind, g.rule, g.position)):
        all_of_it = list(members)
        checks = [check for group in all_of_it for check in group.checks]
        whole = replace(all_of_it[0], format="", variant="", dialect={}, checks=checks)
        decides = next(group for group in all_of_it if group.verdict == whole.verdict)
        out.append(replace(whole, shown_at=decides.anchor))
    return out


def matrices(found: Sequence[Group]) -> list[Matrix]:
    """One matrix per kind, in the order of ``KINDS``."""
    tables = []
    if len({group.position for group in found}) > FEW:
        found = _merged(found)
    for kind, members in groupby(found, key=lambda group: group.kind):
        by_place: dict[tuple[str, tuple[str, str]], Group] = {}
        columns: dict[tuple[str, str], None] = {}
        for group in members:
            column = (group.backend, group.label)
            columns[column] = None
            by_place[group.rule, column] = group
        # Groups come sorted by rule first; the columns of one backend must stay together.
        position = {group.backend: group.position for group in found}
        across = sorted(columns, key=lambda c: (position[c[0]], _column_rank(c[1])))
        ran = {place[1] for place, group in by_place.items() if group.ran}
        backends = {column[0] for column in ran}
        # A library may have dozens of variants that a level leaves out; the page lists them below.
        shown = [column for column in across if column in ran or column[0] not in backends]
        rules = dict.fromkeys(rule for rule, _ in by_place)
        rows = [(rule, [by_place.get((rule, column)) for column in shown]) for rule in rules]
        tables.append(
            Matrix(kind, KINDS.get(kind, kind.capitalize()), shown, rows, len(across) - len(shown))
        )
    return tables


def rules(found: Sequence[Group]) -> list[tuple[str, str, list[Group]]]:
    """(kind, rule, its groups over all backends), in page order."""
    return [
        (kind, rule, list(members))
        for (kind, rule), members in groupby(found, key=lambda g: (g.kind, g.rule))
    ]


def sentence(document: Certificate) -> str:
    """The verdict in plain words, one sentence or two."""
    name, counted = document["backend"]["name"], document["summary"]
    if reason := document["backend"]["unavailable"]:
        return f"{name} was not run: {reason}."
    failed, crashed = (
        sorted({c["rule"] for c in document["checks"] if c["verdict"] == verdict})
        for verdict in ("fail", "crashed")
    )
    total = counted["fail"] + counted["crashed"] + counted["pass"]
    of_all = f" of {numbers.plural(total, 'check')} "
    if failed:
        text = (
            f"{name} does not compute {listed(failed)} as defined: {numbers.count(counted['fail'])}"
            f"{of_all}{'fails' if counted['fail'] == 1 else 'fail'}"
            f"{', ' + numbers.count(counted['crashed']) + ' crashed' if crashed else ''}."
        )
    elif crashed:
        number = numbers.count(counted["crashed"])
        text = f"{name} crashed on {listed(crashed)}, in {number}{of_all[:-1]}."
    elif counted["pass"]:
        passing = {c["rule"] for c in document["checks"] if c["verdict"] == "pass"}
        what = f"all {len(passing)} rules" if len(passing) > 1 else next(iter(passing))
        text = f"{name} computes {what} to the accuracy its arithmetic allows."
        if not document["complete"]:
            text = f"{numbers.plural(total, 'check')} of {name} passed and none failed."
    else:
        text = f"Nothing of {name} was judged, so nothing is known about it."
    if not document["complete"]:
        text += " The run was stopped before its end: this is not a certificate of the whole."
    return text


def listed(items: Sequence[str], most: int = 3) -> str:
    """Names in prose: "a", "a and b", "a, b and c", "a, b, c and 4 other rules"."""
    if len(items) > most + 1:
        return f"{', '.join(items[:most])} and {len(items) - most} other rules"
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])} and {items[-1]}"


def _kind_rank(kind: str) -> int:
    order = list(KINDS)
    return order.index(kind) if kind in order else len(order)


def _column_rank(label: str) -> tuple[bool, bool, str]:
    # float32 and the plain variant first: that is what most readers look for.
    return (not label.endswith("float32"), " " in label, label)


def _fragment(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in text)
