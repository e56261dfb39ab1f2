"""Hyperparameters of any rule, drawn by the names of its fields; every term is alive by default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from truestep.reference.optimizers import Rule


def _decades(low: int, high: int) -> st.SearchStrategy[float]:
    """Numbers m 10^k with a short m: none of them but 1 is representable in binary."""
    mantissas = st.sampled_from((1.0, 1.3, 2.0, 3.0, 5.0, 7.0))
    return st.builds(lambda m, k: float(f"{m}e{k}"), mantissas, st.integers(low, high))


_DECAYS = (0.9, 0.99, 0.999, 0.95, 0.8, 0.5, 0.9999, 0.3)

# By name of field: rates and decays that users set, with weight decay and momentum never zero here
# (zero is a case of its own in the laws), and eps both far below and of the order of the gradients.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "beta1": st.sampled_from(_DECAYS),
    "beta2": st.sampled_from((0.999, 0.99, 0.9, 0.95, 0.9999, 0.5)),
    "dampening": st.sampled_from((0.0, 0.5, 0.1, 0.9)),
    "eps": st.one_of(st.just(1e-8), _decades(-12, -2), st.just(1.0)),
    "lr": _decades(-5, 0),
    "maximize": st.booleans(),
    "momentum": st.sampled_from((0.9, 0.5, 0.99, 0.3)),
    "weight_decay": _decades(-3, 0),
}


def hypers(
    rule: Rule, dialect: Mapping[str, str], fixed: Mapping[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """The numeric and boolean fields of the rule's Hyper; the dialect and fixed fields stay as given."""
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    for field in dataclasses.fields(rule.Hyper):
        if field.name in fixed:
            drawn[field.name] = st.just(fixed[field.name])
        elif field.name in rule.DIALECTS:
            if field.name in dialect:
                drawn[field.name] = st.just(dialect[field.name])
        elif field.name in FIELDS:
            drawn[field.name] = FIELDS[field.name]
        else:
            drawn[field.name] = st.just(field.default)
    return st.fixed_dictionaries(drawn)
