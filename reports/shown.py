"""What ``truestep show NAME`` tells of one rule: all that an author of a kernel has to know."""

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import cast

from truestep.fast.protocol import Capability, Kind
from truestep.properties.kinds import described
from truestep.properties.kinds.table import KINDS
from truestep.properties.laws.claims import PREFIX
from truestep.reference import own
from truestep.reference.declared import Behaviour, Count, Counts, Range, Real
from truestep.reference.rules import Rule
from truestep.reference.tables import RULES

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their columns."""

    columns: Row
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule's definition, and tables of its numbers, its state, its choices and its checks."""

    kind: str
    name: str
    definition: str
    tables: list[Table]


class UnknownRule(ValueError):
    """No kind has a rule of this name."""


def shown(name: str) -> list[Shown]:
    """Every rule of that name, by kind. Raises UnknownRule."""
    own.find(name)
    found = [_shown(kind, name, rules[name]) for kind, rules in RULES.items() if name in rules]
    if not found:
        close = get_close_matches(name, {known for rules in RULES.values() for known in rules})
        near = f"; close: {', '.join(close)}" if close else ""
        raise UnknownRule(f"no rule is named {name!r}{near}; `truestep list` shows all")
    return found


def _shown(kind: str, name: str, rule: Rule) -> Shown:
    behaviour = getattr(vars(rule).get("State"), "BEHAVIOUR", {})
    default = {f.name: f.default for f in fields(rule.Hyper)}
    numbers = [(f, str(default[f]), in_words(r)) for f, r in rule.Hyper.RANGES.items()]
    state = [(tensor, answers(how)) for tensor, how in behaviour.items()]
    choices = [
        (f"{field}={value}", "default" if value == default[field] else "", words)
        for field, known in rule.DIALECTS.items()
        for value, words in known.items()
    ]
    tables = [
        Table(("hyperparameter", "default", "range"), numbers),
        Table(("state", "answers to the gradient"), state),
        Table(("choice", "", "meaning"), choices),
        Table(("check", "holds"), list(_checks(kind, name))),
    ]
    return Shown(kind, name, inspect.getdoc(rule) or "", [t for t in tables if t.rows])


def in_words(declared: Range) -> str:
    """The values that a range allows."""
    if isinstance(declared, Real):
        opening = "(" if declared.open in ("low", "both") else "["
        closing = ")" if declared.open in ("high", "both") or math.isinf(declared.high) else "]"
        return f"{opening}{declared.low:g}, {declared.high:g}{closing}"
    if isinstance(declared, Count):
        return f"an integer >= {declared.low}"
    return "ascending integers >= 0" if isinstance(declared, Counts) else "True or False"


def answers(behaviour: Behaviour) -> str:
    """How a tensor of the state answers to the gradient's scale and sign."""
    words = [f"grows as its power {behaviour.degree:g}" if behaviour.degree else "keeps its scale"]
    words += ["changes sign with it"] if behaviour.odd else []
    words += ["moves with the parameter"] if behaviour.moves else []
    words += ["is never negative"] if behaviour.nonnegative else []
    return ", ".join(words)


def _checks(kind: str, name: str) -> Iterator[Row]:
    """The families of cases, and what each law says."""
    checks = KINDS[kind].checks(Capability(cast(Kind, kind), name)) if kind in KINDS else ()
    for check in checks:
        if check.name.startswith(PREFIX):
            said = " ".join((KINDS[kind].law(check) or "").split("\n\n")[0].split())
            yield check.name, said
        else:
            words = described.about(kind, check.name)
            yield check.name, f"{words} ({KINDS[kind].contract(check)} contract)"
