"""Optimizer cases whose parts are drawn independently of one another.

Hypothesis varies an example by copying parts of it over others, which finds and simplifies corners
well; but of forty examples many then share count, shape and hyperparameters, and a combination
such as a dampened first step of a 0-d tensor may be absent. Here one seed decides a case, and every
part of it is uniform over its values. Such cases are replayed exactly, but hardly simplified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

from truestep.properties.cases.hypers import drawn
from truestep.properties.cases.tensors import KINDS, LAYOUTS, SHAPES, SPECIALS, TensorSpec
from truestep.properties.kinds.optimizer import cases as optimizer
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.reference.rules import Rule

Item = TypeVar("Item")

# After four steps RAdam's rho has passed 4 and not yet 5, for every usual beta2.
COUNTS = (*optimizer.COUNTS, 4)


def independent_cases(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, object]
) -> st.SearchStrategy[OptimizerCase]:
    """Cases of one or two groups of up to three tensors, each decided by a seed."""
    return st.integers(0, 2**32 - 1).map(
        lambda seed: _case(rule, dialect, fixed, np.random.default_rng(seed))
    )


def one_of(rng: np.random.Generator, values: Sequence[Item]) -> Item:
    """One of the values, each with the same probability."""
    return values[int(rng.integers(len(values)))]


def _case(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, object], rng: np.random.Generator
) -> OptimizerCase:
    groups = tuple(_group(rule, dialect, fixed, rng) for _ in range(int(rng.integers(1, 3))))
    return OptimizerCase(groups=groups, steps=int(rng.integers(1, 3)))


def _group(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, object], rng: np.random.Generator
) -> GroupCase:
    # Tensors of one shape, in a third of the groups, show what is taken from a neighbour.
    shapes = [one_of(rng, SHAPES)] if rng.random() < 1 / 3 else SHAPES
    slots = tuple(_slot(rng, one_of(rng, shapes)) for _ in range(int(rng.integers(1, 4))))
    return GroupCase(drawn(rule, dialect, fixed, rng), slots)


def _slot(rng: np.random.Generator, shape: tuple[int, ...]) -> SlotCase:
    t = one_of(rng, COUNTS)
    return SlotCase(
        param=_spec(rng, shape, ("normal", "zeros", "spread"), (-6, 1)),
        grad=_spec(rng, shape, KINDS, (-8, 3)),
        t=t,
        history=min(t, int(rng.integers(1, 5))),
        past=one_of(rng, (0, 0, 2, -2, 4)),
    )


def _spec(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    kinds: tuple[str, ...],
    exponents: tuple[int, int],
) -> TensorSpec:
    names = [one_of(rng, SPECIALS) for _ in range(int(rng.integers(3)))]
    return TensorSpec(
        shape=shape,
        kind=one_of(rng, kinds),
        seed=int(rng.integers(2**16)),
        exponent=int(rng.integers(exponents[0], exponents[1] + 1)),
        specials=tuple((int(rng.integers(600)), name) for name in names),
        layout=one_of(rng, LAYOUTS),
    )
