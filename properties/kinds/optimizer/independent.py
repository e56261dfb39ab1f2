"""Optimizer cases whose parts are drawn independently of one another.

Hypothesis varies an example by copying parts of it over others, which finds and simplifies corners
well; but of forty examples many then share count, shape and hyperparameters, and a combination
such as a dampened first step of a 0-d tensor may be absent. Here one seed decides a case, and every
part of it is uniform over its values. Such cases are replayed exactly, but hardly simplified.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

from truestep.properties.cases.hypers import values_of
from truestep.properties.cases.tensors import KINDS, LAYOUTS, SHAPES, SPECIALS, TensorSpec
from truestep.properties.kinds.optimizer import cases as optimizer
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase

Item = TypeVar("Item")

# After four steps RAdam's rho has passed 4 and not yet 5, for every usual beta2.
COUNTS = (*optimizer.COUNTS, 4)

_DECADES = tuple(float(f"{m}e{k}") for k in range(-5, 1) for m in (1, 1.3, 3, 7))
_SMALL = tuple(float(f"{m}e{k}") for k in range(-12, -1) for m in (1, 3))
_RATES = (0.9, 0.999, 0.99, 0.95, 0.5, 0.3, 0.9999)

# By name of field, for every rule's Hyper; a field not listed keeps its default. Zero stands where
# kernels branch on it, not where it would remove a term.
VALUES: dict[str, tuple[Any, ...]] = {
    "alpha": (0.75, 0.99, 0.9, 0.5),
    "beta": (0.9, 0.999, 0.95, 0.5),
    "beta1": _RATES,
    "beta2": (0.999, 0.99, 0.9, 0.95, 0.9999, 0.5, 0.3),
    "c": (1.0, 0.5, 0.1),
    "centered": (False, True),
    "clip_threshold": (1.0, 0.3, 10.0),
    "dampening": (0.0, 0.5, 0.1, 0.9),
    "damping": (0.3, 0.01, 1.0),
    "decay_rate": (0.8, 1.0, 0.5),
    "ema": (0.999, 0.9, 0.3),
    "eps": (1e-8, 1e-8, *_SMALL, 1.0),
    "gamma": (0.01, 0.05, 1.0, 30.0),
    "graft_beta2": (0.999, 0.9, 0.5),
    "graft_eps": (1e-8, 1e-3, 1.0),
    "initial_total": (0.0, 0.1),
    "initial_v": (0.0, 1.0),
    "lambd": (1e-4, 1e-2, 0.7),
    "limit": (1.0, 0.04, 30.0),
    "lr": (*_DECADES, 0.0, 0.0),
    "lr_decay": (0.0, 1e-3, 0.3),
    "maximize": (False, True),
    "memory": (3, 10, 1, 2),
    "momentum": (0.9, 0.0, 0.5, 0.99, 0.3),
    "momentum_decay": (4e-3, 0.3),
    "nesterov": (False, True),
    "ns_a": (3.4445, 3.25, 3.0),
    "ns_b": (-4.775, -5.0),
    "ns_c": (2.0315, 1.9375),
    "ns_steps": (5, 1, 3, 6),
    "offset": (0.0, 3.0, 0.7),
    "period": (1, 2, 5),
    "power": (1.0, 0.75, 0.5, 0.6),
    "precondition_frequency": (1, 2, 10),
    "r": (0.0, 0.5, 1.0),
    "rho": _RATES,
    "rms": (0.2, 1.0),
    "shampoo_beta": (0.95, 0.9, 0.5),
    "sigma_high": (1.5, 10.0, 1.1),
    "sigma_low": (0.01, 0.5),
    "start": (0, 2, 5000),
    "t0": (1_000_000, 0, 1, 90),
    "target": (0.0, 0.3, -7.0),
    "tau": (1e4, 100.0, 10.0),
    "tau0": (0.8, 1.0, 0.3),
    "trust_coefficient": (1e-3, 0.02),
    "warmup_steps": (0, 3, 100),
    "weight_decay": (1e-2, 0.1, 1.0, 0.3, 1e-3),
    "weight_lr_power": (2.0, 1.0, 0.0),
}


def independent_cases(
    rule: Any, dialect: Mapping[str, str], fixed: Mapping[str, Any]
) -> st.SearchStrategy[OptimizerCase]:
    """Cases of one or two groups of up to three tensors, each decided by a seed."""
    return st.integers(0, 2**32 - 1).map(
        lambda seed: _case(rule, {**dialect, **fixed}, np.random.default_rng(seed))
    )


def one_of(rng: np.random.Generator, values: Sequence[Item]) -> Item:
    """One of the values, each with the same probability."""
    return values[int(rng.integers(len(values)))]


def _case(rule: Any, given: Mapping[str, Any], rng: np.random.Generator) -> OptimizerCase:
    groups = tuple(_group(rule, given, rng) for _ in range(int(rng.integers(1, 3))))
    return OptimizerCase(groups=groups, steps=int(rng.integers(1, 3)))


def _group(rule: Any, given: Mapping[str, Any], rng: np.random.Generator) -> GroupCase:
    # Tensors of one shape, in a third of the groups, show what is taken from a neighbour.
    shapes = [one_of(rng, SHAPES)] if rng.random() < 1 / 3 else SHAPES
    slots = tuple(_slot(rng, one_of(rng, shapes)) for _ in range(int(rng.integers(1, 4))))
    return GroupCase(_hyper(rule, given, rng), slots)


def _hyper(rule: Any, given: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    drawn = {
        field.name: one_of(rng, VALUES[field.name])
        for field in dataclasses.fields(rule.Hyper)
        if field.name in VALUES and field.name not in rule.DIALECTS
    }
    return drawn | {name: one_of(rng, values_of(x)) for name, x in given.items()}


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
