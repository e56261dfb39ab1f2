"""Scales that are not what elements are divided by: kept in float16, or as absmax."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.reference import block_scales
from truestep.reference.quantizers import QUANTIZERS


def test_codes_are_those_of_the_scale_before_it_is_rounded() -> None:
    """4.507 / 9.013 is above 1/2 and goes up; by the scale in float16, 9.015625, it would not."""
    h = QUANTIZERS["q8_0"].Hyper()
    x = np.zeros(32)
    x[:2] = 127 * 9.013, 4.507
    code, scale = QUANTIZERS["q8_0"].encode(h, x)
    assert scale.dtype == np.float16
    assert scale[0] == 9.015625
    assert list(code[:3]) == [127, 1, 0]
    low, high = QUANTIZERS["q8_0"].admissible(h, x, scale)
    rank = QUANTIZERS["q8_0"].rank(code)
    assert np.all((low <= rank) & (rank <= high))
    assert np.array_equal(low, high)


@pytest.mark.parametrize(("name", "half"), [("q4_0", 8), ("q5_0", 16)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_extreme_has_code_0_whatever_its_sign(name: str, half: int, sign: float) -> None:
    """The first of the largest magnitude is -half scales; its opposite is cut off below half."""
    h = QUANTIZERS[name].Hyper()
    x = np.zeros(32)
    x[3], x[4], x[5] = sign * half, -sign * half, sign / 2
    code, scale = QUANTIZERS[name].encode(h, x)
    assert scale[0] == -sign
    assert list(code[3:7]) == [0, 2 * half - 1, half, half]
    back = QUANTIZERS[name].decode(h, code, scale)
    assert list(back[3:6]) == [sign * half, -sign * (half - 1), 0]


def test_a_kept_absmax_is_divided_when_it_is_used() -> None:
    """Codes are those of the quotient; what is decoded lies in an interval around the exact one."""
    rule = QUANTIZERS["int8_rows"]
    plain, kept = rule.Hyper(), rule.Hyper(kept="absmax")
    x = np.array([[1.0, -0.3, 0.004], [3e38, -1e38, 0.0]])
    code, scale = rule.encode(kept, x)
    assert np.array_equal(code, rule.encode(plain, x)[0])
    assert np.array_equal(scale, np.float32([1.0, 3e38]))
    low, high = rule.decoded(kept, code, scale.astype(np.float64))
    exact = rule.decode(kept, code, scale.astype(np.float64))
    assert np.all((low <= exact) & (exact <= high))
    assert np.all(high - low <= 2.0**-21 * np.abs(exact) + 2.0**-140)


@pytest.mark.parametrize("beyond", [2.0**-20, 2.0**-23])
@pytest.mark.parametrize(
    ("name", "becomes", "fields"),
    [
        ("nvfp4", 6.0, {}),
        ("nvfp4", 4.0, {"four_over_six": "mae"}),
        ("nvfp4_two_level", 6.0, {"tensor_scale": 0.001}),
        ("mxfp4", 0.0, {"rule": "even"}),
        ("mxfp8_e4m3", 0.0, {"rule": "even"}),
    ],
)
def test_what_is_stored_changes_at_each_turn(
    name: str, becomes: float, fields: dict[str, object], beyond: float
) -> None:
    """Below and above; turns of both values of an extreme are a format's, where it has two."""
    rule = QUANTIZERS[name]
    h = rule.Hyper(**fields)
    turns = block_scales.turns(rule.row, h, [becomes])
    below, above = (
        block_scales.stored(rule.row, h, turns * (1 + e), becomes=becomes)
        for e in (-beyond, beyond)
    )
    assert turns.size > 20
    assert np.all(np.diff(np.stack([below, above]).astype(int), axis=0) == 1)
    assert set(turns) <= set(rule.turns(h))


def test_scales_of_many_numbers_have_no_turns() -> None:
    """They change with every extreme, or where a power of two does."""
    for name in ("nf4", "int4", "q8_0", "mxfp4"):
        rule = QUANTIZERS[name]
        assert not rule.turns(rule.Hyper()).size
