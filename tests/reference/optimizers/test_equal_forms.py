"""Dialects that are one rule in two forms of evaluation, and guards: what they share and do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import OPTIMIZERS, adagrad, schedule_free_adamw

NUMBERS = {"beta1": 0.5, "beta2": 0.5, "beta3": 0.5, "lr": 0.5, "weight_decay": 0.25, "eps": 0.0}


def printed(x: Any) -> list[str]:
    """The elements to fourteen digits: what rounding in another order leaves alone."""
    return [f"{element:.13e}" for element in np.ravel(x)]


@pytest.mark.parametrize("rule", ["adamax", "adamw", "adan", "lion", "muon", "nadam"])
def test_decay_in_the_step_is_decay_before_it(rule: str) -> None:
    """p (1 - lr weight_decay) - lr u is p - lr (u + weight_decay p); without decay p is another."""
    module = OPTIMIZERS[rule]
    known = {k: v for k, v in NUMBERS.items() if k in module.Hyper.__dataclass_fields__}
    p, g = np.array([[4.0, -8.0]]), np.array([[2.0, 3.0]])
    moved = []
    for changed in ({"decay": "before"}, {"decay": "in_step"}, {"weight_decay": 0.0}):
        h = module.Hyper(**{**known, **changed})
        moved.append(module.step(h, module.init(h, p), p, g)[1])
    assert printed(moved[0]) == printed(moved[1]) != printed(moved[2])


@pytest.mark.parametrize("rule", ["schedule_free_adamw", "schedule_free_sgd"])
def test_the_average_may_be_recovered_or_left_out(rule: str) -> None:
    """Three steps: y, z, x and the weights are the same with x recovered at every step."""
    module = OPTIMIZERS[rule]
    beta = "beta1" if module is schedule_free_adamw else "beta"
    found = []
    for form in ("direct", "through_x"):
        h = module.Hyper(**{beta: 0.75, "lr": 0.5, "weight_decay": 0.5, "form": form})
        p = np.array([4.0, -8.0])
        s = module.init(h, p)
        for g in ([2.0, 2.0], [-2.0, 4.0], [1.0, 7.0]):
            s, p = module.step(h, s, p, np.array(g))
        found.append(printed([*p, *s.z, *module.average(h, s, p), s.weight_sum]))
    assert found[0] == found[1]


def test_a_guarded_sum_of_zero_takes_no_step() -> None:
    """Where g^2 underflows p moves by g / sqrt(eps), guarded not at all; nan stays."""
    p, g = np.zeros(2), np.array([2.0**-600, np.nan])
    for guard, due in (("none", -(2.0**-600)), ("still", 0.0)):
        h = adagrad.Hyper(lr=1.0, eps=1.0, eps_placement="inside", guard=guard)
        _, moved = adagrad.step(h, adagrad.init(h, p), p, g)
        assert moved[0] == due
        assert np.isnan(moved[1])
