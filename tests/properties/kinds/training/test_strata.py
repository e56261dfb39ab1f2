"""Strata: all of them are visited with any seed, and faults are found with any seed."""

import numpy as np
import pytest

from truestep.fast.protocol import TrainingCapability
from truestep.properties.cases.strata import SHAPES
from truestep.properties.cases.tensors import ALL_LAYOUTS, TensorSpec
from truestep.properties.kinds.table import KINDS
from truestep.properties.kinds.training import strata
from truestep.properties.museum import FAULTS
from truestep.properties.run.plan import run_check

pytestmark = pytest.mark.power

# Faults of which one seed's rows may hold no instance; laws and other families find them.
ELSEWHERE = {"adaptive_loss_scaling_variance_alone", "dynamic_loss_scaling_grows_without_end"}
PLANTED = [n for n, f in FAULTS.items() if f.kind == "training" and n not in ELSEWHERE]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_stratum_of_every_axis_is_visited(seed):
    """Shapes, layouts, kinds, orders of magnitude, special elements, numbers of calls."""
    made = strata.made(TrainingCapability(rule="dynamic_loss_scaling"), seed)
    calls = [call for case in made for call in case.calls]
    tensors = [x for call in calls for x in call["gradients"]]
    assert all(isinstance(x, TensorSpec) for x in tensors)
    assert {x.shape for x in tensors} >= set(SHAPES) - {(0,)}
    assert {x.layout for x in tensors} == set(ALL_LAYOUTS)
    assert {x.exponent for x in tensors} >= set(strata.EXPONENTS)
    assert {name for x in tensors for _, name in x.specials} >= set(strata.ELEMENTS) - {""}
    assert {len(case.calls) for case in made} >= set(strata.CALLS)
    assert {len(call["gradients"]) for call in calls} == {*strata.TENSORS, *strata.MANY}
    assert {x.shape for x in tensors} >= {(size,) for size in strata.SIZES}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_infinities_stand_at_the_very_end_of_many_and_of_large_tensors(seed):
    """Where a kernel that looks at part of the elements, or of the tensors, sees none."""
    made = strata.made(TrainingCapability(rule="dynamic_loss_scaling"), seed)
    last = [case.calls[0]["gradients"][-1] for case in made]
    infinite = [x for x in last if (-1, "inf") in x.specials]
    assert {x.shape for x in infinite} == {(5,), *((size,) for size in strata.SIZES)}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("dynamic_loss_scaling", "t"), ("gradient_accumulation", "examples"),
        ("linear_scaling", "batch"), ("stale_gradients", "tau"),
    ],
)  # fmt: skip
def test_counts_and_numbers_pass_the_ends_of_short_formats(rule, name, seed):
    """Each at each of its values."""
    made = strata.made(TrainingCapability(rule=rule), seed)
    assert {call[name] for case in made for call in case.calls} >= set(strata.FAR[name])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_to_happen_happens(seed):
    """The window's last step, and a finite gradient that a scale below 1 makes infinite."""
    made = strata.made(TrainingCapability(rule="dynamic_loss_scaling"), seed)
    first = [(case.hyper, case.calls[0]) for case in made]
    assert sum(call["good"] == hyper["window"] - 1 for hyper, call in first) >= 8
    unscaled = [
        call
        for _, call in first
        if call["scale"] < 1 and any(name == "largest" for _, name in call["gradients"][0].specials)
    ]
    assert len(unscaled) >= 4


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", PLANTED)
def test_no_fault_hangs_on_the_seed(name, seed):
    """Every planted fault of a piece is found by its strata."""
    backend = FAULTS[name].backend()
    [check] = [c for c in KINDS["training"].checks(backend.capability) if c.name == strata.NAME]
    with np.errstate(all="ignore"):
        assert run_check(backend, check, level="standard", seed=seed, told=False).verdict == "fail"
