"""The audit: planted faults judged by other suites' acceptance rules, and by this suite.

Faults are those of the museum in optimizers, schedules and quantizers, and each fault of a block
format in every format in which it can exist. A rule is asked only where it accepts the right
kernel: one that refuses it says nothing of the fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from click import ClickException

from truestep.properties.museum import FAULTS
from truestep.properties.museum.fault import Fault
from truestep.properties.museum.faults.blocks import everywhere, made
from truestep.properties.museum.plant import Kernel
from truestep.properties.museum.power import first_failure
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.tables import RULES
from truestep.reports import certificate, files, numbers, terminal
from truestep.reports.acceptance import ACCEPTANCES, Acceptance
from truestep.reports.sheet import Cell, Section, Sheet, Table
from truestep.reports.trials import Seen, seen

OURS = "TrueStep, level standard"
KINDS = {"optimizer": "Optimizers", "quantizer": "Formats", "schedule": "Schedules"}
_ABOUT = (
    "Each acceptance rule is one that a suite publishes: its tolerance, on inputs drawn as its "
    "tests draw them, with as many steps and its hyperparameters. It compares the kernel with a "
    "fault and the kernel without, which have the same lines in the same order: what it lets "
    "through is hidden by the tolerance or by the inputs, and by nothing else.",
    "Let through: a fault that the rule accepts. A rule is asked where it accepts the right "
    "kernel. A kernel that raises an error is rejected.",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fault and what was said of it: by rule, whether it was let through; None: not asked."""

    name: str
    kind: str
    fault: Fault
    through: Mapping[str, bool | None]


def faults(only: str | None, every: int) -> dict[str, tuple[str, Fault]]:
    """Of each kind the first of every so many faults that match, by name, with the kind."""
    named: dict[str, Fault] = dict(FAULTS)
    for name, row, planted in everywhere():
        named.setdefault(f"{row}_{name}", made(row, planted))
    found: dict[str, tuple[str, Fault]] = {}
    for kind in KINDS:
        own = [
            name
            for name, fault in sorted(named.items())
            if fault.rule in RULES[kind] and _plain(kind, fault) and _matches(name, only)
        ]
        found |= {name: (kind, named[name]) for name in own[::every]}
    return found


def _matches(name: str, only: str | None) -> bool:
    return only is None or fnmatchcase(name, only) or only in name


def _plain(kind: str, fault: Fault) -> bool:
    """Whether other suites' tests could be run on it: float32, nothing besides the gradient."""
    if kind != "optimizer":
        return True
    other = "storage" in fault.declared or fault.declared.get("format", "float32") != "float32"
    return not (other or OPTIMIZERS[fault.rule].FACTS.inputs)


def outcomes(chosen: Mapping[str, tuple[str, Fault]]) -> Iterator[Outcome]:
    """Of every fault whether each rule of its kind, and this suite, lets it through."""
    latest, right = "", dict[tuple[int, ...], list[Seen] | None]()
    for name, (kind, fault) in chosen.items():
        declared = str(fault.without().capability)
        if declared != latest:
            latest, right = declared, {}
        through = {
            rule.name: _lets_through(rule, number, fault, right)
            for number, rule in enumerate(ACCEPTANCES[kind])
        }
        ours = first_failure(fault.backend(), fault.check, level="standard", told=False)
        yield Outcome(name, kind, fault, {**through, OURS: ours is None})


def _lets_through(
    rule: Acceptance, number: int, fault: Fault, right: dict[tuple[int, ...], list[Seen] | None]
) -> bool | None:
    """Whether every one of a rule's tests accepts the fault; None where none accepts its kernel.

    right: what was seen so far of the kernel without the fault, by rule, test and trial.
    """
    asked = False
    for place, setting in enumerate(rule.settings):
        for trial in range(setting.trials):
            without = fault.without()
            key = number, place, trial
            if key not in right:
                right[key] = _seen(without, without, rule, place, trial)
            due = right[key]
            if due is None or not all(map(rule.accepts, due, due)):
                continue
            asked = True
            got = _seen(fault.backend(), without, rule, place, trial)
            if got is None or not all(map(rule.accepts, got, due)):
                return False
    return True if asked else None


def _seen(
    kernel: Kernel, right: Kernel, rule: Acceptance, place: int, trial: int
) -> list[Seen] | None:
    """What a test sees; None where the kernel cannot be called so."""
    try:
        return seen(kernel, right, rule.settings[place], trial)
    except Exception:  # of a fault, or of a number that the rule's range excludes
        return None


def show(only: str | None, every: int, as_json: bool, out: Path | None) -> int:
    """Run the audit and show it; 1 where this suite lets a fault through."""
    chosen = faults(only, every)
    if not chosen:
        raise ClickException(f"no planted fault matches {only!r}; one is {next(iter(FAULTS))!r}")
    found = []
    for number, outcome in enumerate(outcomes(chosen)):
        if number % 20 == 0:
            terminal.warn(f"fault {number + 1} of {len(chosen)}")
        found.append(outcome)
    shown = sheet(found, every)
    if out is not None:
        terminal.show_path(files.write_report(shown, out, "audit"))
    if as_json:
        print(certificate.dumps(certificate.plain(_document(found, every))), end="")
    elif out is None:
        terminal.show_sheet(shown)
    return int(any(outcome.through[OURS] for outcome in found))


def _document(found: Sequence[Outcome], every: int) -> dict[str, object]:
    return {
        "every": every,
        "rules": [
            {"name": rule.name, "kind": kind, "source": rule.source}
            for kind, rules in ACCEPTANCES.items()
            for rule in rules
        ],
        "faults": [
            {
                "name": outcome.name,
                "kind": outcome.kind,
                "rule": outcome.fault.rule,
                "description": outcome.fault.description,
                "source": outcome.fault.source,
                "let_through_by": dict(outcome.through),
            }
            for outcome in found
        ],
    }


def sheet(found: Sequence[Outcome], every: int) -> Sheet:
    """The page: what each rule lets through, kind by kind, and every fault below."""
    ours = sum(bool(outcome.through[OURS]) for outcome in found)
    some = "" if every == 1 else f" (the first of every {every})"
    headline = (
        f"{numbers.plural(len(found), 'planted fault')}{some}: TrueStep lets {ours} through; "
        f"what {sum(map(len, ACCEPTANCES.values()))} published acceptance rules let through."
    )
    by_kind = {kind: [o for o in found if o.kind == kind] for kind in KINDS}
    totals = [_totals(kind, own) for kind, own in by_kind.items() if own]
    single = [_single(kind, own) for kind, own in by_kind.items() if own]
    return Sheet(
        "TrueStep audit",
        headline,
        _ABOUT,
        [Section("What each rule lets through", totals), Section("Fault by fault", single)],
    )


def _totals(kind: str, found: Sequence[Outcome]) -> Table:
    sources = {rule.name: rule.source for rule in ACCEPTANCES[kind]} | {OURS: ""}
    rows = []
    for name, source in sources.items():
        told = [outcome.through[name] for outcome in found if outcome.through[name] is not None]
        count = sum(map(bool, told))
        share = f"{count / len(told):.0%}" if told else "–"
        tone = "bad" if count else "good"
        rows.append(
            (name, [Cell(str(count), tone), Cell(share), Cell(str(len(told))), Cell(source)])
        )
    columns = ("let through", "share", "asked of", "where it stands")
    return Table(KINDS[kind], "", "acceptance rule", columns, rows)


def _single(kind: str, found: Sequence[Outcome]) -> Table:
    names = list(found[0].through)
    marks = {True: Cell("through", "bad"), False: Cell("✓", "good"), None: Cell("–")}
    rows = [(o.name, [marks[o.through[name]] for name in names]) for o in found]
    notes = [(outcome.name, outcome.fault.about) for outcome in found]
    folded = "What each fault is"
    about = "✓: rejected. –: the rule was not asked, since it does not accept the right kernel."
    return Table(f"{KINDS[kind]}, one by one", about, "fault", names, rows, notes, folded=folded)
