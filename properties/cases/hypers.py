"""Hyperparameters of any rule, drawn from the ranges that its Hyper declares.

Each field is drawn alone and every usual value is as likely as the others; what the rule's own
validation refuses, as a warm-up that is longer than the whole, is drawn again.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TypeAlias

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from truestep.reference.declared import Real
from truestep.reference.rules import Rule

# Every field in the order in which it is decided: its values, more of them, and the field that they
# are multiples of.
Choices: TypeAlias = list[tuple[str, Sequence[object], Sequence[object], str]]

# Numbers as far from the usual ones as any that somebody trains with.
_FAR = (1e-8, 1e3)
# A rule that refuses so many draws in a row has no place for what is given.
_TRIES = 200
# Hypothesis draws integers below this limit uniformly; of larger ones it prefers the small.
HYPER_BYTES = 3
_SEEDS = 2 ** (8 * HYPER_BYTES)


def values_of(given: object) -> tuple[object, ...]:
    """The values that a fixed hyperparameter may have: those of a tuple, or the one that it is."""
    return given if isinstance(given, tuple) else (given,)


def held(fixed: Mapping[str, object]) -> dict[str, object]:
    """The fixed hyperparameters, each with the first of its values."""
    return {name: values_of(given)[0] for name, given in fixed.items()}


def drawn(
    rule: Rule,
    dialect: Mapping[str, str],
    fixed: Mapping[str, object],
    rng: np.random.Generator,
    *,
    edges: bool = False,
) -> dict[str, object]:
    """Fields of a valid Hyper; those of the dialect and the fixed ones stay as given.

    Where a fixed field is given as a tuple, it is one of these values. edges: whether the values
    that remove a term are among the others, and each is as likely as in any draw.
    """
    choices = _choices(rule, dialect, fixed, edges)
    if edges:
        return _accepted(rule, choices, rng)
    special = _special(rule, choices, dialect, fixed)
    return _decided(rule, choices, special, int(rng.integers(_SEEDS)))


def hypers(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, object]
) -> st.SearchStrategy[dict[str, object]]:
    """The same as a strategy, which draws one integer."""
    return st.integers(0, _SEEDS - 1).map(by_number(rule, dialect, fixed))


def by_number(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, object]
) -> Callable[[int], dict[str, object]]:
    """The same by a number of HYPER_BYTES that decides all fields; 0 stands for the defaults.

    Drawing field by field would take longer than the steps that are judged. One in sixteen has the
    defaults, and one the first of all usual values, where factors such as 1 - lr decay vanish.
    """
    choices = _choices(rule, dialect, fixed, edges=False)
    special = _special(rule, choices, dialect, fixed)
    return lambda number: _decided(rule, choices, special, number)


def corners(
    rule: Rule, given: Mapping[str, object], *, ends: bool = True
) -> Iterator[tuple[str, object]]:
    """Every field that is not given with each of its special values.

    They are its edges, the ends of its range that belong to it (ends), and numbers far from the
    usual.
    """
    for name, limits in rule.Hyper.RANGES.items():
        if name in given or limits.of:
            continue
        found: list[object] = list(limits.edges)
        if isinstance(limits, Real):
            own = {"none": (limits.low, limits.high), "low": (limits.high,), "high": (limits.low,)}
            found += [x for x in own.get(limits.open, ()) if ends and math.isfinite(x)]
            if _over_decades(limits):
                found += _FAR
        yield from ((name, value) for value in dict.fromkeys(found))


def _over_decades(limits: Real) -> bool:
    """Whether what is usual of a number, and so what is far from it, spans orders of magnitude."""
    usual = [x for x in limits.usual if x > 0]
    return math.isinf(limits.high) and bool(usual) and max(usual) >= 1e3 * min(usual)


def continuous(
    rule: Rule, given: Mapping[str, object], rng: np.random.Generator, **at: object
) -> dict[str, object]:
    """Fields of a valid Hyper whose numbers are near the usual ones, and have none in common.

    given: fields that stay as they are, a tuple's values chosen among. at: a field's value, as far
    as the rule accepts it beside the others.
    """
    choices = _choices(rule, {}, given, edges=False)
    for _ in range(_TRIES):
        found = _chosen(choices, rng.random(len(choices)))
        for name, limits in rule.Hyper.RANGES.items():
            if isinstance(limits, Real) and not limits.listed and name not in given:
                found[name] = _near(found[name], limits, rng)
        # A rate of 0 would hide what is special about another field.
        hidden = at and "lr" not in (*at, *given) and found.get("lr") == 0
        if not hidden and _refusal(rule, found | at) is None:
            return found | at
    return _accepted(rule, choices, rng)


def defaults(rule: Rule, given: Mapping[str, object]) -> dict[str, object]:
    """The defaults of the fields that are not given: at these every term that matters shows."""
    return {name: value for name, value in _defaults(rule).items() if name not in given}


def siblings(
    rule: Rule, given: Mapping[str, object], rng: np.random.Generator
) -> list[dict[str, object]]:
    """The defaults, and for each field that is not given the same with another value, not 0.

    A field is left out where the rule refuses every other value that is tried.
    """
    first = continuous(rule, given, rng, **defaults(rule, given))
    found = [first]
    for name, limits in rule.Hyper.RANGES.items():
        if name in given:
            continue
        others = [continuous(rule, given, rng)[name], *limits.usual]
        changed = [first | {name: x} for x in others if x not in (first[name], 0)]
        accepted = [fields for fields in changed if _refusal(rule, fields) is None]
        found += accepted[:1]
    return found


def _near(value: object, limits: Real, rng: np.random.Generator) -> float:
    """A number at 0.7 to 1.4 times the value's distance from the least, or from 1 that ends all."""
    x, factor = float(value), 2.0 ** rng.uniform(-0.5, 0.5)  # type: ignore[arg-type]
    if limits.low == 0 and limits.high == 1 and x < 1:
        # An average of mostly the newest cancels in the forms that subtract from it: not beyond.
        near = 1 - (1 - x) * factor if x >= 0.5 else x * max(factor, 1 / factor)
    else:
        least = limits.low if math.isfinite(limits.low) else 0.0
        near = least + (x - least) * factor
    return float(np.clip(near, limits.low, limits.high))


def _special(
    rule: Rule, choices: Choices, dialect: Mapping[str, str], fixed: Mapping[str, object]
) -> list[dict[str, object]]:
    """The rule's defaults, and the first of all usual values, where the rule accepts them."""
    first = _chosen(choices, np.zeros(len(choices)))
    default = {**first, **_defaults(rule), **dialect, **held(fixed)}
    return [fields for fields in (default, first) if _refusal(rule, fields) is None]


def _decided(
    rule: Rule, choices: Choices, special: Sequence[dict[str, object]], seed: int
) -> dict[str, object]:
    if seed % 16 < len(special):
        return special[seed % 16]
    return _accepted(rule, choices, np.random.default_rng(seed))


def _defaults(rule: Rule) -> dict[str, object]:
    given = [field for field in fields(rule.Hyper) if field.name in rule.Hyper.RANGES]
    return {field.name: field.default for field in given if field.default is not MISSING}


def _choices(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, object], edges: bool
) -> Choices:
    given = {**dialect, **fixed}
    defaults = _defaults(rule)
    free: Choices = []
    for name, limits in rule.Hyper.RANGES.items():
        if name not in given:
            usual: Sequence[object] = limits.usual or (defaults[name],)
            more = limits.edges if edges else ()
            free.append((name, usual, more, limits.of if limits.usual else ""))
    known: Choices = [(name, values_of(x), (), "") for name, x in given.items()]
    return [*known, *sorted(free, key=lambda choice: choice[3])]


def scaled(value: object, fields: Mapping[str, object], of: str) -> object:
    """A declared value, which of a range that is "of" a field counts in units of that field."""
    return value * fields[of] if of else value  # type: ignore[operator]


def _chosen(choices: Choices, at: NDArray[np.float64]) -> dict[str, object]:
    """Of every field the value at that part of its list."""
    found: dict[str, object] = {}
    for (name, usual, more, of), x in zip(choices, at.tolist(), strict=True):
        k = int(x * (len(usual) + len(more)))
        value = usual[k] if k < len(usual) else more[k - len(usual)]
        found[name] = scaled(value, found, of)
    return found


def _accepted(rule: Rule, choices: Choices, rng: np.random.Generator) -> dict[str, object]:
    refused = None
    for _ in range(_TRIES):
        found = _chosen(choices, rng.random(len(choices)))
        if (refused := _refusal(rule, found)) is None:
            return found
    assert refused is not None
    raise refused


def _refusal(rule: Rule, found: Mapping[str, object]) -> ValueError | None:
    """Why the rule's own validation refuses these fields."""
    try:
        rule.Hyper(**found)
    except ValueError as refused:
        return refused
    return None
