from __future__ import annotations

import itertools
import json
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.cases.dice import independent
from truestep.properties.cases.hypers import continuous, hypers
from truestep.properties.cases.restored import restored
from truestep.properties.cases.tensors import EXTREMES, KINDS, LAYOUTS, SHAPES
from truestep.properties.kinds.optimizer.cases import INDEPENDENT, OptimizerCase, independent_case
from truestep.properties.kinds.optimizer.families import FAMILIES
from truestep.properties.kinds.optimizer.storage import drawn
from truestep.reference.optimizers import OPTIMIZERS

pytestmark = pytest.mark.power


def _cases(capability: OptimizerCapability, count: int) -> list[OptimizerCase]:
    found: list[OptimizerCase] = []
    quiet = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    strategy = independent(independent_case(lambda rng: drawn(capability, rng)))

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


def test_numbers_are_near_the_usual_ones_by_their_distance_from_the_least() -> None:
    """A growth of 2 % is drawn as one of 1.4 % to 2.9 %, and not below 1."""
    rng = np.random.default_rng(0)
    found = [continuous(OPTIMIZERS["prodigy"], {}, rng)["growth_rate"] for _ in range(60)]
    assert len(set(found)) == 60
    assert 1.014 < min(found) < 1.02 < 1.2 < max(found) < 2.42


@pytest.mark.parametrize("rule", sorted(OPTIMIZERS))
def test_drawing_starts_at_the_rules_defaults(rule: str) -> None:
    """The simplest are the defaults; the first of all usual values are drawn together too."""
    module = OPTIMIZERS[rule]
    strategy = hypers(module, {}, {})
    simplest = find(strategy, lambda _: True, random=Random(0))
    assert module.Hyper(**simplest) == module.Hyper()
    first = {
        name: limits.usual[0]
        for name, limits in module.Hyper.RANGES.items()
        if limits.usual and not limits.of
    }
    drawn = find(strategy, lambda fields: first.items() <= fields.items(), random=Random(0))
    assert module.Hyper(**drawn)


def test_every_extreme_stands_in_some_parameters() -> None:
    """Special values are drawn for parameters as for gradients, and not for all."""
    strategy = FAMILIES["special_values"].strategy(_rule("sgd"))
    for wanted in (True, False):
        case = find(strategy, lambda case, w=wanted: _extreme(case) is w, random=Random(0))
        assert _extreme(case) is wanted


def _extreme(case: OptimizerCase) -> bool:
    """Whether every extreme is among the first parameter's special values."""
    return {name for _, name in case.groups[0].slots[0].param.specials} >= set(EXTREMES)
