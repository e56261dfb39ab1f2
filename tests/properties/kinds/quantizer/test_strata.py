"""Strata: all of them are visited with any seed, and what hides in one of them is found."""

import dataclasses

import numpy as np
import pytest

from truestep.fast.protocol import QuantizerCapability
from truestep.properties.cases.strata import SIDES
from truestep.properties.cases.tensors import ALL_LAYOUTS
from truestep.properties.kinds.quantizer import cases, strata
from truestep.properties.kinds.quantizer.stored import every_stored
from truestep.properties.kinds.table import KINDS
from truestep.properties.museum import FAULTS
from truestep.properties.run.plan import run_check
from truestep.reference.quantizers import QUANTIZERS

pytestmark = pytest.mark.power


def _check(capability, name):
    [check] = [c for c in KINDS["quantizer"].checks(capability) if c.name == name]
    return check


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule", ["float16", "dynamic_8bit"])
def test_every_stratum_of_every_axis_is_visited(rule, seed):
    """Sizes, ranks, layouts, orders of magnitude, special elements, hyperparameters."""
    made = strata.made(QuantizerCapability(rule=rule), seed)
    tensors = [case.tensor for case in made if case.pattern == "tensor"]
    shapes = {x.shape for x in tensors}
    assert {len(shape) for shape in shapes} == {0, 1, 2, 3, 4, 5, 6}
    assert shapes >= {shape for shape in strata.SHAPES if len(shape) > 1}
    assert shapes >= set(SIDES)
    assert {x.layout for x in tensors} == set(ALL_LAYOUTS)
    assert {x.exponent for x in tensors} == {0, *strata.EXPONENTS}
    assert {x.kind for x in tensors} == set(strata.KINDS)
    elements = {name for x in tensors for _, name in x.specials}
    assert elements == set(strata.ELEMENTS) - {""}
    if QUANTIZERS[rule].BLOCKS:
        # Ties beyond a launch are met under the defaults.
        drawn = [case.hyper for case in made if case.pattern != "thresholds"]
        sizes = {hyper["block_size"] for hyper in drawn}
        assert sizes == set(QUANTIZERS[rule].BLOCK_SIZES)
        assert {0.0, 1e-8, 1e3} <= {hyper["absmax_floor"] for hyper in drawn}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule", ["float8_e4m3fn", "int8_rows"])
def test_every_shape_is_met_with_nothing_that_hides_it(rule, seed):
    """Normal numbers of the order of 1, which no format makes zeros or infinities of."""
    made = strata.made(QuantizerCapability(rule=rule), seed)
    plain = {x.shape for x in (c.tensor for c in made) if (x.kind, x.exponent) == ("normal", 0)}
    assert plain >= {*strata.SHAPES, *SIDES}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "name", [n for n, f in FAULTS.items() if f.kind == "quantizer" and f.check == "strata"]
)
def test_no_fault_hangs_on_the_seed(name, seed):
    """What the strata are there for, they find whatever else is drawn."""
    backend = FAULTS[name].backend()
    check = _check(backend.capability, "strata")
    assert run_check(backend, check, level="standard", seed=seed, told=False).verdict == "fail"


def test_nans_of_every_class_reach_the_kernel():
    """Quiet or not, full payload or least, either sign, each in a block of its own."""
    rule = QUANTIZERS["dynamic_8bit"]
    h = rule.Hyper(block_size=64)
    x = cases.values(cases.QuantizerCase({}, pattern="nans"), rule, h)
    bits = x[np.isnan(x)].view(np.uint32)
    assert len(set(bits.tolist())) == bits.size == 8
    assert len(set((np.flatnonzero(np.isnan(x)) // 64).tolist())) == 8


def test_all_codes_are_decoded_beside_every_sort_of_absmax():
    """Each of the 256 codes meets each of them, whatever the length of a block."""
    rule = QUANTIZERS["dynamic_8bit"]
    for block in (64, 4096):
        held = every_stored(rule, rule.Hyper(block_size=block), np.dtype(np.uint8))
        by_block = held["code"].reshape(-1, block)
        per = max(1, 256 // block)
        assert held["absmax"].size == by_block.shape[0] == per * 10
        whole = by_block.reshape(10, -1)
        assert all(set(row.tolist()) == set(range(256)) for row in whole)


def test_a_decoded_infinity_must_not_be_nan():
    """An infinity that is due may come out of a sum as nan, but not out of a table."""
    nan_for_infinity = "lambda h, code: FORMAT.decode(h, code) * 0 + FORMAT.decode(h, code),"
    fault = dataclasses.replace(
        FAULTS["float8_e5m2_decodes_no_infinity"], edits=(("FORMAT.decode,", nan_for_infinity),)
    )
    backend = fault.backend()
    result = run_check(
        backend, _check(backend.capability, "every_code"), level="smoke", seed=0, told=False
    )
    assert result.verdict == "fail"


@pytest.mark.parametrize("rule", ["int4", "mxfp4", "nvfp4", "uint4"])
def test_ties_are_met_in_a_short_group_and_beyond_a_launch(rule):
    """As many as in whole groups, with the scale that makes them ties."""
    format = QUANTIZERS[rule]
    h = format.Hyper()
    x = cases.values(cases.QuantizerCase({}, pattern="thresholds"), format, h)
    short = x[x.size // format.length(h) * format.length(h) :]
    assert 0 < short.size < format.length(h)
    assert short.max() - short.min() >= format.extreme(h)
    (many,) = [
        case
        for case in strata.made(QuantizerCapability(rule=rule), 0)
        if case.pattern == "thresholds"
    ]
    assert cases.values(many, format, h).size > 2**16


@pytest.mark.parametrize("rule", ["mxfp4_tiles", "nvfp4_tiles", "e4m3_tiles"])
def test_tiles_are_cut_off_by_an_element_along_either_side(rule):
    """Each of them has its largest element at the end that is left."""
    format = QUANTIZERS[rule]
    side = format.row.block
    made = strata.made(QuantizerCapability(rule=rule), 0)
    cut = [case for case in made if len(case.tensor.specials) > 8]
    assert {tuple(n % side for n in case.tensor.shape) for case in cut} == {
        (side - 1, 1),
        (1, side - 1),
    }
    for case in cut:
        x = cases.values(case, format, format.Hyper())
        assert np.abs(x[-1, -1]) == format.extremes(format.Hyper(), x).max()
        ends = np.abs(x[-1]) if x.shape[0] == side - 1 else np.abs(x[:, -1])
        assert (ends == ends.max()).sum() == 9


@pytest.mark.parametrize("rule", ["uint4_tensor", "e4m3_tensors", "int8_tensor"])
def test_a_tensor_that_is_one_group_is_each_special_one_in_turn(rule):
    """Zeros, nans and infinities among them, and some far from zero."""
    format = QUANTIZERS[rule]
    made = strata.made(QuantizerCapability(rule=rule), 0)
    blocks = [case for case in made if case.pattern == "blocks"]
    found = [cases.values(case, format, format.Hyper()) for case in blocks]
    assert len({x.tobytes() for x in found}) == len(found) == cases.SPECIAL_BLOCKS
    assert sum(bool(np.isnan(x).any()) for x in found) == 2
    assert sum(bool(np.min(np.abs(x)) > 10) for x in found) == 2
