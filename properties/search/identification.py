"""What a failing kernel computes instead: other dialects and rules, tried on its outputs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from truestep.fast.protocol import Capability
from truestep.properties.judge.contracts import SLACK
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.step import BackendFault, BackendRaised, Judged, lockstep
from truestep.reference.optimizers import OPTIMIZERS, Rule


def in_words(rule: Any, dialect: Mapping[str, str]) -> str:
    """The choices of a dialect in words; the reference's own form if there is none."""
    words = [rule.DIALECTS[field][value] for field, value in sorted(dialect.items())]
    return "; ".join(words) or "the reference's own form"


def identify(
    backend: Any,
    capability: Capability,
    cases: Sequence[OptimizerCase],
    started: Callable[[OptimizerCase], None] = lambda _: None,
) -> str:
    """Which other dialect or rule every judged element of these cases agrees with; "" if none does.

    started(case) is called before each trial, as a sign of life.
    """
    return first_that_agrees(
        lambda distance: _readings(capability, distance),
        lambda reading: _agrees(backend, capability, cases, *reading, started),
    )


Reading = TypeVar("Reading")
Case = TypeVar("Case")


# Readings that a message names: where a hyperparameter is fixed at 0, whole families agree.
_MOST_NAMED = 4


def first_that_agrees(
    readings: Callable[[int], Iterable[tuple[str, Reading]]], agrees: Callable[[Reading], bool]
) -> str:
    """The words of the readings that agree, the nearest only: one choice away, else two."""
    for distance in (1, 2):
        found = [words for words, reading in readings(distance) if agrees(reading)]
        if found:
            words = list(dict.fromkeys(found))
            more = len(words) - _MOST_NAMED
            named = " or ".join(words[:_MOST_NAMED])
            return f"{named} or {more} other forms" if more > 0 else named
    return ""


def departures(rule: Any, dialect: Mapping[str, str], distance: int) -> Iterator[dict[str, str]]:
    """The dialects that differ from this one in so many fields: what changes in them."""
    current = {name: _default(rule, name) for name in rule.DIALECTS} | dict(dialect)
    for fields in itertools.combinations(sorted(rule.DIALECTS), distance):
        others = [[v for v in rule.DIALECTS[name] if v != current[name]] for name in fields]
        for values in itertools.product(*others):
            yield dict(zip(fields, values, strict=True))


def _readings(
    capability: Capability, distance: int
) -> Iterator[tuple[str, tuple[Rule, dict[str, str]]]]:
    rule = OPTIMIZERS[capability.rule]
    for changes in departures(rule, capability.dialect, distance):
        yield f"{capability.rule} with {in_words(rule, changes)}", (rule, changes)
    if distance == 1:
        for name, other in OPTIMIZERS.items():
            if other is not rule and _called_alike(rule, other) and _judged_alike(rule, other):
                for changes in _dialects(other):
                    yield f"{name} with {in_words(other, changes)}", (other, changes)


def _dialects(rule: Rule) -> Iterator[dict[str, str]]:
    for values in itertools.product(*rule.DIALECTS.values()):
        yield dict(zip(rule.DIALECTS, values, strict=True))


def _called_alike(a: Rule, b: Rule) -> bool:
    """Whether both have the same state, and take the same besides the gradient."""

    def taken(rule: Rule) -> tuple[list[str], set[str]]:
        state = [f.name for f in dataclasses.fields(rule.State)]
        return state, set(rule.FACTS.inputs)

    return taken(a) == taken(b)


def _judged_alike(a: Rule, b: Rule) -> bool:
    """Whether both have observables: Muon's state is SGD's, but it has a thousand dialects."""
    return (a.FACTS.observables is None) == (b.FACTS.observables is None)


def _default(rule: Any, field: str) -> str:
    return str(next(f.default for f in dataclasses.fields(rule.Hyper) if f.name == field))


def _agrees(
    backend: Any,
    capability: Capability,
    cases: Sequence[OptimizerCase],
    rule: Rule,
    changes: Mapping[str, str],
    started: Callable[[OptimizerCase], None],
) -> bool:
    names = {field.name for field in dataclasses.fields(rule.Hyper)}

    def reread(hyper: Any) -> Any:
        fields = {
            f.name: getattr(hyper, f.name) for f in dataclasses.fields(hyper) if f.name in names
        }
        return rule.Hyper(**{**fields, **changes})

    def judged(case: OptimizerCase) -> Iterator[tuple[Any, Sequence[Judged]]]:
        started(case)
        return lockstep(backend, capability, case, (rule, reread))

    return all_within(judged, cases)


def all_within(
    judged: Callable[[Case], Iterable[tuple[Any, Sequence[Judged]]]], cases: Iterable[Case]
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
    except (BackendFault, BackendRaised, ValueError, ArithmeticError):
        return False
    return count > 0
