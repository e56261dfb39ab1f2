from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from truestep.properties.cases.tensors import KINDS, LAYOUTS, SHAPES
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.independent import COUNTS, _case
from truestep.reference.optimizers import OPTIMIZERS


def _cases(rule: str, count: int) -> list[OptimizerCase]:
    return [_case(OPTIMIZERS[rule], {}, {}, np.random.default_rng(seed)) for seed in range(count)]


def test_a_seed_is_one_case_for_ever() -> None:
    """The same seed gives the same case, which survives JSON exactly."""
    first, again = _cases("sgd", 5), _cases("sgd", 5)
    assert first == again
    for case in first:
        assert OptimizerCase.from_json(json.loads(json.dumps(case.to_json()))) == case


def test_pairs_of_choices_occur_together() -> None:
    """Of a few hundred cases every pair of count and layout, and of count and kind, occurs."""
    slots = [s for case in _cases("sgd", 400) for group in case.groups for s in group.slots]
    assert {(s.t, s.grad.layout) for s in slots} == set(itertools.product(COUNTS, LAYOUTS))
    assert {(s.t, s.grad.kind) for s in slots} == set(itertools.product(COUNTS, KINDS))
    assert {s.param.shape for s in slots} == set(SHAPES)


def test_neighbours_often_share_a_shape() -> None:
    """What a kernel takes from the tensor before shows only between tensors of one shape."""
    groups = [group for case in _cases("sgd", 200) for group in case.groups]
    alike = [g for g in groups if len(g.slots) > 1 and len({s.param.shape for s in g.slots}) == 1]
    assert len(alike) > 0.1 * len(groups)


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_rule_accepts_the_drawn_hyperparameters(rule: str) -> None:
    """No combination of listed values is refused by a rule's validation, in its default dialect."""
    for case in _cases(rule, 40):
        for group in case.groups:
            OPTIMIZERS[rule].Hyper(**group.hyper)


def test_the_dialect_and_fixed_fields_are_kept() -> None:
    """Fields that a capability gives are not drawn."""
    dialect, fixed = {"decay": "decoupled"}, {"momentum": 0.25}
    for seed in range(20):
        case = _case(OPTIMIZERS["sgd"], dialect, fixed, np.random.default_rng(seed))
        for group in case.groups:
            assert {**dialect, **fixed}.items() <= dict(group.hyper).items()
