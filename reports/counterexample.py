"""What a check recorded about its worst input, taken apart for display."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from truestep.properties.judge.results import CheckResult, parted
from truestep.reports import numbers
from truestep.reports.certificate import Record

# Numbers that get decimal and hex side by side.
_MEASURED = ("got", "oracle", "error", "bound")

# Shown elsewhere: as numbers, in the line that says where, or inside the program.
_ELSEWHERE = (
    *_MEASURED, "case", "got_decimal", "group", "index", "inputs", "oracle_decimal", "slot", "step",
    "tensor", "utilisation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """A known departure of the library behind a backend, as the certificate records it.

    links: (id, anchor) of the failing checks on the page that it explains.
    """

    anchor: str
    backend: str
    record: Record
    links: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A check shown in full: its message, its worst input, and a program that runs it again.

    text: the message without its program, which names no backend; program does, and is "" where no
    case was recorded. measured: (name, decimal, hex) of what was got and due, the distance, the
    bound, and the inputs. specification: (name, text) of where the worst element is and what else
    was recorded. findings: those that explain a failure. ulps: the error in units in the last place
    of the format, "" where there is none. effort: what it takes to read the case, least first:
    elements, hyperparameters that are not at their defaults, steps, digits.
    """

    check: CheckResult
    text: str
    program: str
    measured: Sequence[tuple[str, str, str]]
    specification: Sequence[tuple[str, str]]
    findings: Sequence[Finding]
    ulps: str = ""
    effort: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[bool, tuple[int, ...], str]:
        """The simplest case with numbers comes first."""
        return not self.measured, self.effort, self.check.id

    @property
    def pattern(self) -> str:
        """Which tensors err, and where; "" where that was not found out."""
        return str(self.check.extra.get("pattern", ""))

    @property
    def departs(self) -> str:
        """The line of the definition in which the kernel departs, or ""."""
        return str(self.check.extra.get("departs", ""))

    @property
    def alone(self) -> str:
        """The counterexample as a program that needs NumPy alone, or ""."""
        return str(self.check.extra.get("program", ""))

    @property
    def headline(self) -> str:
        """The first line of the message."""
        return self.text.partition("\n")[0]


def of(spec: str, check: CheckResult, findings: Sequence[Finding] = ()) -> Counterexample:
    """What a check of the backend of that spec recorded; findings: of that backend."""
    worst = check.worst or {}
    return Counterexample(
        check=check,
        text=text_of(check.message),
        program=program(spec, check),
        measured=_measured(check, worst),
        specification=_specification(worst),
        findings=[finding for finding in findings if check.id in finding.record["checks"]],
        ulps=ulps(check),
        effort=_effort(check.rule, worst),
    )


def ulps(check: CheckResult) -> str:
    """The recorded error in units in the last place of the check's format, or ""."""
    worst = check.worst or {}
    known = check.contract in ("bounded", "sampled") and "got" in worst and "oracle" in worst
    return numbers.ulps(worst["got"], worst["oracle"], check.format) if known else ""


def _effort(rule: str, worst: Record) -> tuple[int, ...]:
    case, hyper = worst.get("case", {}), _hyper(worst)
    elements = sum(math.prod(abs(n) for n in shape) for shape in shapes(case))
    usual = _defaults(rule)
    own = sum(1 for name, x in hyper.items() if name in usual and usual[name] != x)
    steps = case.get("steps", 1) if isinstance(case, dict) else 1
    if isinstance(steps, list | tuple):
        steps = len(steps)
    digits = sum(len(numbers.both(x)[0]) for x in worst.get("inputs", {}).values())
    return elements, own, steps if isinstance(steps, int) else 1, digits


@cache
def _defaults(rule: str) -> Mapping[str, object]:
    """The numbers that a rule of any kind has by default; its dialect is no choice of a case."""
    from truestep.reference.tables import RULES  # every rule, where something has failed

    for rules in RULES.values():
        if rule in rules:
            kind = rules[rule].Hyper
            return {n: f.default for n, f in kind.__dataclass_fields__.items() if n in kind.RANGES}
    return {}


def shapes(case: object) -> Iterator[Sequence[int]]:
    """The shapes of the tensors of a case."""
    if isinstance(case, dict):
        shape = case.get("shape")
        if isinstance(shape, list) and all(isinstance(n, int) for n in shape):
            yield shape
    if isinstance(case, dict | list):
        for item in case.values() if isinstance(case, dict) else case:
            yield from shapes(item)


def text_of(message: str) -> str:
    """A message without its program, which ``program`` gives with the backend's name."""
    return parted(message)[0].rstrip()


def program(spec: str, check: CheckResult) -> str:
    """A complete program that runs the recorded case again, "" where none was recorded."""
    if not check.worst or "case" not in check.worst:
        return ""
    record = json.dumps(check.worst["case"])
    return (
        "from truestep.properties.run.replay import case\n\n"
        f"case({spec!r}, {check.id!r}, {record!r})\n"
    )


def _measured(check: CheckResult, worst: Record) -> list[tuple[str, str, str]]:
    rows = [(name, *numbers.both(worst[name])) for name in _MEASURED if name in worst]
    if told := ulps(check):
        rows.append((f"error in ulps of {check.format}", told, ""))
    inputs = worst.get("inputs", {})
    return rows + [(f"input {name}", *numbers.both(value)) for name, value in inputs.items()]


def _specification(worst: Record) -> list[tuple[str, str]]:
    rows = []
    if "tensor" in worst:
        places = [f"{name} {worst[name]}" for name in ("step", "group", "slot") if name in worst]
        index = f"[{', '.join(map(str, worst['index']))}]" if worst.get("index") else ""
        rows.append(("element", ", ".join([f"{worst['tensor']}{index}", *places])))
    if hyper := _hyper(worst):
        rows.append(("hyperparameters", ", ".join(f"{name} = {v}" for name, v in hyper.items())))
    return rows + [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in worst.items()
        if name not in _ELSEWHERE and value not in (None, "", {}, [])
    ]


def _hyper(worst: Record) -> Mapping[str, object]:
    """The hyperparameters of the worst element's group, where the case's kind has groups."""
    groups, at = worst.get("case", {}).get("groups"), int(worst.get("group", 0))
    group = groups[at] if isinstance(groups, list) and at < len(groups) else None
    hyper = group.get("hyper") if isinstance(group, dict) else None
    return hyper if isinstance(hyper, dict) else {}
