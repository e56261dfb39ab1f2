"""Cases on either side of where a comparison turns."""

import numpy as np
import pytest

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.kinds.optimizer import strata, turning
from truestep.properties.kinds.optimizer.step import begun
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.optimizers.adamp import orthogonal

SEEDS = [0, 1, 2]


def _groups(capability, seed):
    cases = turning.cases(capability, np.random.default_rng(seed))
    return [group for case in cases for group in case.groups]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rule", ["adamp", "momo", "sgdp"])
def test_both_sides_are_near_one_another(rule, seed):
    """Pairs of gradients that differ little, of one parameter."""
    found = _groups(OptimizerCapability(rule=rule), seed)
    assert len(found) >= 4
    for one, other in zip(found[::2], found[1::2], strict=True):
        [a], [b] = one.slots, other.slots
        assert a.param == b.param
        x, y = np.array(a.grad.elements), np.array(b.grad.elements)
        assert 0 < np.max(np.abs(x - y)) <= 2.0**-10 * np.max(np.abs(y))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("format", ["float32", "bfloat16"])
def test_a_choice_between_norms_turns(seed, format):
    """Gradients that are nearly orthogonal to their parameter, and some that are not quite."""
    arithmetic = "bfloat16_storage" if format == "bfloat16" else "ieee_float32"
    capability = OptimizerCapability(rule="adamp", format=format, arithmetic=arithmetic)
    rule, turned = OPTIMIZERS["adamp"], 0
    groups = [
        g
        for case in turning.cases(capability, np.random.default_rng(seed))
        for g in begun(rule, capability, case)
    ]
    for one, other in zip(groups[::2], groups[1::2], strict=True):
        for axes in ((1,), (0, 1)):
            said = [
                bool(orthogonal(g.hyper, s.param.astype(float), s.grad.astype(float), axes))
                for g in (one, other)
                for s in g.slots
                if s.param.ndim == 2
            ]
            turned += len(set(said)) == 2
    assert turned >= 2


def test_some_norms_are_as_small_as_eps():
    """Where eps is added to a norm, or a floor of it, both are of one size."""
    found = _groups(OptimizerCapability(rule="adamp"), 0)
    sizes = [np.linalg.norm(g.slots[0].grad.elements) / g.hyper["eps"] for g in found]
    assert sum(0.03 < size < 30 for size in sizes) >= 4


def test_they_are_among_the_strata():
    """Of a capability that takes one tensor, one at a time; with its tensors' shapes."""
    alone = OptimizerCapability(rule="adamp", single=True, shapes="matrices")
    cases = [c for c in strata.cases(alone, 0) if c.groups[0].slots[0].grad.kind == "explicit"]
    assert len(cases) >= 4
    assert all(len(c.groups) == len(c.groups[0].slots) == c.steps == 1 for c in cases)
    assert all(len(c.groups[0].slots[0].param.shape) == 2 for c in cases)


@pytest.mark.parametrize("rule", ["adamw", "lion"])
def test_elements_that_decide_alone_have_none(rule):
    """They lie on both sides anyway."""
    assert _groups(OptimizerCapability(rule=rule), 0) == []


def test_seeds_find_others():
    """And one seed the same again."""
    capability = OptimizerCapability(rule="sgdp")
    assert _groups(capability, 0) == _groups(capability, 0) != _groups(capability, 1)
