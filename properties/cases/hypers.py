"""Hyperparameters of any rule, drawn from the ranges that its Hyper declares.

Each field is drawn alone and every usual value is as likely as the others; what the rule's own
validation refuses, as a warm-up that is longer than the whole, is drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TypeAlias

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from truestep.reference.declared import Ascending
from truestep.reference.rules import Rule

# Every field in the order in which it is decided: its values, more of them, and the field that they
# are multiples of.
Choices: TypeAlias = list[tuple[str, Sequence[object], Sequence[object], str]]

# A rule that refuses so many draws in a row has no place for what is given.
_TRIES = 200
# Hypothesis draws integers below this limit uniformly; of larger ones it prefers the small.
_SEEDS = 2**24


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
    that remove a term are among the others.
    """
    return _accepted(rule, _choices(rule, dialect, fixed, edges), rng)


def hypers(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, object]
) -> st.SearchStrategy[dict[str, object]]:
    """The same as a strategy. One integer decides all fields; 0 stands for the rule's defaults.

    Drawing field by field would take longer than the steps that are judged.
    """
    choices = _choices(rule, dialect, fixed, edges=False)

    def decided(seed: int) -> dict[str, object]:
        if seed == 0:
            return _chosen(choices, np.zeros(len(choices)))
        return _accepted(rule, choices, np.random.default_rng(seed))

    return st.integers(0, _SEEDS - 1).map(decided)


def _choices(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, object], edges: bool
) -> Choices:
    given = {**dialect, **fixed}
    defaults = {field.name: field.default for field in fields(rule.Hyper)}
    free: Choices = []
    for name, limits in rule.Hyper.RANGES.items():
        if name not in given:
            more = limits.edges if edges else ()
            usual, default = limits.usual, defaults[name]
            if not limits.of and default is not MISSING and not isinstance(usual, Ascending):
                usual = (
                    (default, *usual)
                    if default not in usual
                    else tuple(sorted(usual, key=lambda x: x != default))
                )
            free.append((name, usual or (default,), more, limits.of if limits.usual else ""))
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
    for _ in range(_TRIES):
        found = _chosen(choices, rng.random(len(choices)))
        try:
            rule.Hyper(**found)
        except ValueError as refused:
            reason = refused
        else:
            return found
    raise reason
