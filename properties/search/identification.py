"""What a failing kernel computes instead: other readings of its rule, tried on its outputs."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from truestep.fast.protocol import Declared
from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.results import SLACK
from truestep.reference.declared import Hyper
from truestep.reference.rules import Rule

Item = TypeVar("Item")

# Readings that a message names: where a hyperparameter is fixed at 0, whole families agree.
_MOST_NAMED = 4


class Unlike(Exception):
    """A reading is so far from what the kernel computed that its bounds need not be known."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Another reading of a capability: its rule, changes of the Hyper, and a shift of the step.

    words: what a message calls it. lengths: by how much an integer of the Hyper is longer. storage:
    changes of how state is kept. packing: of packed codes the other packing's name, and whether
    they are integers in two's complement. arithmetic: what rounds otherwise than declared.
    """

    words: str
    rule: Rule
    changes: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    shift: int = 0
    storage: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    packing: tuple[str, bool] | None = None
    arithmetic: Declared | None = None

    def hyper(self, given: Hyper) -> Hyper:
        """The Hyper under this reading, of the fields that both rules have, as choices or not."""
        names = {f.name for f in dataclasses.fields(self.rule.Hyper)}
        known = {
            f.name: value
            for f in dataclasses.fields(given)
            if f.name in names
            and isinstance(value := getattr(given, f.name), str) == (f.name in self.rule.DIALECTS)
        }
        longer = {name: known[name] + d for name, d in self.lengths.items()}
        if self.storage:
            kept = known["storage"].items()
            known["storage"] = {
                name: dataclasses.replace(h, **self.storage.get(name, {})) for name, h in kept
            }
        return self.rule.Hyper(**{**known, **longer, **self.changes})


def in_words(rule: Rule, dialect: Mapping[str, str]) -> str:
    """The choices of a dialect in words; the reference's own form if there is none."""
    words = [rule.DIALECTS[field][value] for field, value in sorted(dialect.items())]
    return "; ".join(words) or "the reference's own form"


def first_that_agrees(
    readings: Callable[[int], Iterable[Reading]], agrees: Callable[[Reading], bool]
) -> str:
    """The words of the readings that agree, the nearest only: one choice away, else two."""
    for distance in (1, 2):
        found = [reading.words for reading in readings(distance) if agrees(reading)]
        if found:
            words = list(dict.fromkeys(found))
            more = len(words) - _MOST_NAMED
            named = " or ".join(words[:_MOST_NAMED])
            return f"{named} or {more} other forms" if more > 0 else named
    return ""


def departures(rule: Rule, dialect: Mapping[str, str], distance: int) -> Iterator[dict[str, str]]:
    """The dialects that differ from this one in so many fields: what changes in them."""
    default = {f.name: f.default for f in dataclasses.fields(rule.Hyper)}
    current = {name: default[name] for name in rule.DIALECTS} | dict(dialect)
    for fields in itertools.combinations(sorted(rule.DIALECTS), distance):
        others = [[v for v in rule.DIALECTS[name] if v != current[name]] for name in fields]
        for values in itertools.product(*others):
            yield dict(zip(fields, values, strict=True))


def dialects_of(name: str, rule: Rule, changes: Iterable[Mapping[str, str]]) -> Iterator[Reading]:
    """The rule of that name read with each of these changes."""
    for choice in changes:
        yield Reading(f"{name} with {in_words(rule, choice)}", rule, choice)


def nearby_dialects(rule: Rule, dialect: Mapping[str, str], most: int) -> Iterator[dict[str, str]]:
    """A rule's dialects that differ in at most so many fields from its own form.

    dialect: choices of another rule; those that this one has too belong to its form.
    """
    form = rule.Hyper()
    own: dict[str, str] = {name: getattr(form, name) for name in rule.DIALECTS}
    own |= {name: value for name, value in dialect.items() if value in rule.DIALECTS.get(name, ())}
    for distance in range(most + 1):
        for changes in departures(rule, own, distance):
            yield {**own, **changes}


def all_within(
    judged: Callable[[Item], Iterable[tuple[object, Iterable[Judged]]]], cases: Iterable[Item]
) -> bool:
    """Whether every judgement of these cases is within the slack, and there is one at all.

    judged(case): the steps of a case with their judgements. What raises agrees with nothing.
    """
    count = 0
    try:
        for case in cases:
            for _, found in judged(case):
                for item in found:
                    if (u := item.judgement.utilisation) is not None:
                        count += 1
                        if u > SLACK:
                            return False
    except (BackendFault, BackendRaised, Unlike, ValueError, ArithmeticError):
        return False
    return count > 0
