from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.cases.restored import restored
from truestep.properties.cases.tensors import KINDS, LAYOUTS, SHAPES
from truestep.properties.kinds.optimizer.cases import INDEPENDENT, OptimizerCase, independent_cases
from truestep.properties.kinds.optimizer.storage import drawn
from truestep.reference.optimizers import OPTIMIZERS


def _cases(capability: OptimizerCapability, count: int) -> list[OptimizerCase]:
    found: list[OptimizerCase] = []
    quiet = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    strategy = independent_cases(lambda rng: drawn(capability, rng))

    @seed(1)
    @quiet
    @given(strategy)
    def noted(case: OptimizerCase) -> None:
        found.append(case)

    noted()
    return found


def _rule(name: str, **given: object) -> OptimizerCapability:
    return OptimizerCapability(rule=name, **given)  # type: ignore[arg-type]


def test_a_seed_is_one_case_for_ever() -> None:
    """The same seed gives the same case, which survives JSON exactly."""
    first, again = _cases(_rule("sgd"), 5), _cases(_rule("sgd"), 5)
    assert first == again
    for case in first:
        assert restored(OptimizerCase, json.loads(json.dumps(case.to_json()))) == case


def test_pairs_of_choices_occur_together() -> None:
    """Of a few hundred cases every pair of count and layout, and of count and kind, occurs."""
    cases = _cases(_rule("sgd"), 400)
    slots = [s for case in cases for group in case.groups for s in group.slots]
    counts = INDEPENDENT.counts
    assert {(s.t, s.grad.layout) for s in slots} == set(itertools.product(counts, LAYOUTS))
    assert {(s.t, s.grad.kind) for s in slots} == set(itertools.product(counts, KINDS))
    assert {s.param.shape for s in slots} == set(SHAPES)


def test_neighbours_often_share_a_shape() -> None:
    """What a kernel takes from the tensor before shows only between tensors of one shape."""
    groups = [group for case in _cases(_rule("sgd"), 200) for group in case.groups]
    alike = [g for g in groups if len(g.slots) > 1 and len({s.param.shape for s in g.slots}) == 1]
    assert len(alike) > 0.1 * len(groups)


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_rule_accepts_the_drawn_hyperparameters(rule: str) -> None:
    """No combination of listed values is refused by a rule's validation, in its default dialect."""
    for k in range(40):
        OPTIMIZERS[rule].Hyper(**drawn(_rule(rule), np.random.default_rng(k)))


def test_the_dialect_and_fixed_fields_are_kept() -> None:
    """Fields that a capability gives are not drawn."""
    capability = _rule("sgd", dialect={"decay": "decoupled"}, fixed={"momentum": 0.25})
    for case in _cases(capability, 20):
        for group in case.groups:
            assert {"decay": "decoupled", "momentum": 0.25}.items() <= dict(group.hyper).items()
