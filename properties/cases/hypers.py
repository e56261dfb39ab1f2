"""Hyperparameters of any rule, drawn by the names of its fields; every term is alive by default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st


def _decades(low: int, high: int) -> st.SearchStrategy[float]:
    """Numbers m 10^k with a short m: none of them but 1 is representable in binary."""
    mantissas = st.sampled_from((1.0, 1.3, 2.0, 3.0, 5.0, 7.0))
    return st.builds(lambda m, k: float(f"{m}e{k}"), mantissas, st.integers(low, high))


_DECAYS = (0.9, 0.99, 0.999, 0.95, 0.8, 0.5, 0.9999, 0.3)

# By name of field: rates and decays that users set, weight decay never zero here (zero is a case
# of its own in the laws), momentum sometimes, since kernels branch on it, and eps both far below
# and of the order of the gradients.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "alpha": st.sampled_from((0.99, 0.9, 0.75, 0.5)),
    "alpha_warmup": st.sampled_from((0, 50)),
    "beta": st.sampled_from((0.9, 0.999, 0.95, 0.5)),
    "beta1": st.sampled_from(_DECAYS),
    "beta2": st.sampled_from((0.999, 0.99, 0.9, 0.95, 0.9999, 0.5)),
    "beta3_warmup": st.sampled_from((0, 500)),
    "block_size": st.sampled_from((64, 256, 2048, 128, 512, 1024, 4096)),
    "c": st.sampled_from((1.0, 0.5, 0.1)),
    "c1": st.sampled_from((1e-4, 0.1)),
    "c2": st.sampled_from((0.9, 0.5, 0.2)),
    "centered": st.booleans(),
    "clip_threshold": st.sampled_from((1.0, 0.3, 10.0)),
    "clip_norm": st.sampled_from((1.0, 0.1, 10.0)),
    "clip_value": st.sampled_from((1.0, 0.1, 10.0)),
    "curvature": st.sampled_from((1.0, 0.3, 4.0)),
    "dampening": st.sampled_from((0.0, 0.5, 0.1, 0.9)),
    "damping": st.sampled_from((0.3, 0.01, 1.0)),
    "decay_rate": st.sampled_from((0.8, 1.0, 0.5)),
    "ema": st.sampled_from((0.999, 0.9)),
    "eps": st.one_of(st.just(1e-8), _decades(-12, -2), st.just(1.0)),
    "eps2": st.sampled_from((1e-3, 1e-16, 0.1)),
    "eta1": st.sampled_from((0.1, 0.01)),
    "eta2": st.sampled_from((0.9, 0.75)),
    "gamma": st.sampled_from((0.01, 0.05, 1.0, 30.0)),
    "gamma1": st.sampled_from((2.0, 1.5)),
    "gamma2": st.sampled_from((2.0, 3.0)),
    "graft_beta2": st.sampled_from((0.999, 0.9, 0.5)),
    "graft_eps": st.sampled_from((1e-8, 1e-3, 1.0)),
    "initial_total": st.sampled_from((0.0, 0.1)),
    "initial_v": st.sampled_from((0.0, 1.0)),
    "lambd": _decades(-5, -1),
    "limit": st.sampled_from((1.0, 0.04, 30.0)),
    "lr": _decades(-5, 0),
    "lr_decay": st.sampled_from((0.1, 0.0, 1e-3)),
    "max_evaluations": st.sampled_from((25, 4)),
    "maximize": st.booleans(),
    "memory": st.sampled_from((3, 10, 1, 2)),
    "momentum": st.sampled_from((0.9, 0.5, 0.99, 0.3, 0.0)),
    "momentum_decay": st.sampled_from((4e-3, 1.0, 0.1)),
    "mu0": st.sampled_from((1.0, 0.1, 10.0)),
    "nesterov": st.booleans(),
    "ns_a": st.sampled_from((3.4445, 3.25, 3.0)),
    "ns_b": st.sampled_from((-4.775, -5.0)),
    "ns_c": st.sampled_from((2.0315, 1.9375)),
    "ns_steps": st.sampled_from((5, 1, 3, 6)),
    "offset": st.sampled_from((0.0, 1.0, 10.0)),
    "period": st.sampled_from((1, 2, 5)),
    "power": st.sampled_from((0.75, 1.0, 0.6, 0.0)),
    "precondition_frequency": st.sampled_from((1, 2, 10)),
    "r": st.sampled_from((0.0, 0.5, 1.0)),
    # Below every side, of one axis, and beyond all of them.
    "rank": st.sampled_from((2, 1, 4, 128)),
    "rho": st.sampled_from((0.9, 0.95, 0.5)),
    "rms": st.sampled_from((0.2, 1.0)),
    "shampoo_beta": st.sampled_from((0.95, 0.9, 0.5)),
    "shrink": st.sampled_from((0.5, 0.8, 0.1)),
    "sigma_high": st.sampled_from((1.5, 10.0, 1.1)),
    "sigma_low": st.sampled_from((0.01, 0.5)),
    "signed": st.booleans(),
    "skip": st.sampled_from((1e-8, 1e-3)),
    "start": st.sampled_from((0, 2, 100)),
    "t0": st.sampled_from((1, 10, 1_000_000)),
    "tau": st.sampled_from((1e4, 100.0, 10.0)),
    "tau0": st.sampled_from((0.8, 1.0, 0.3)),
    "tolerance_change": st.sampled_from((0.0, 1e-9)),
    "tolerance_grad": st.sampled_from((0.0, 1e-7)),
    "trust_coefficient": st.sampled_from((1e-3, 0.02, 1.0)),
    "update_gap": st.sampled_from((3, 1, 2, 200)),
    "warmup_steps": st.sampled_from((0, 3, 100)),
    "weight_decay": _decades(-3, 0),
    "weight_lr_power": st.sampled_from((2.0, 1.0, 0.0)),
}


def values_of(given: Any) -> tuple[Any, ...]:
    """The values that a fixed hyperparameter may have: those of a tuple, or the one that it is."""
    return given if isinstance(given, tuple) else (given,)


def held(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The fixed hyperparameters, each with the first of its values."""
    return {name: values_of(given)[0] for name, given in fixed.items()}


def hypers(
    rule: Any, dialect: Mapping[str, str], fixed: Mapping[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """The fields of the rule's Hyper; those of the dialect and the fixed ones stay as given.

    Where a fixed field is given as a tuple, it is one of these values.
    """
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    for field in dataclasses.fields(rule.Hyper):
        if field.name in fixed:
            drawn[field.name] = st.sampled_from(values_of(fixed[field.name]))
        elif field.name in rule.DIALECTS:
            if field.name in dialect:
                drawn[field.name] = st.just(dialect[field.name])
        elif field.name == "rank" and field.default == 1:
            drawn[field.name] = st.just(1)  # APOLLO-Mini's rank is what it is named for
        elif field.name in FIELDS:
            drawn[field.name] = FIELDS[field.name]
        else:
            drawn[field.name] = st.just(field.default)
    return st.fixed_dictionaries(drawn)
