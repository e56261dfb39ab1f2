"""Formats with scales by groups: against exact rationals and published constants."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from truestep.reference import element_tables as tables
from truestep.reference.block_formats import FORMATS
from truestep.reference.block_scales import e4m3_nearest
from truestep.reference.format_rows import ROWS

ALL = pytest.mark.parametrize("name", sorted(ROWS))
# The thresholds of NF4 in bitsandbytes' CUDA source.
NF4_TREE = (
    -0.8480964004993439, -0.6106329262256622, -0.4599952697753906, -0.33967942, -0.2346074134,
    -0.13791173, -0.045525018, 0.03979015, 0.12025525, 0.20352125, 0.29201376, 0.38931254,
    0.50166345, 0.64278692, 0.86147845,
)  # fmt: skip


def numbers(name: str, seed: int = 0) -> Any:
    """Numbers from N(0, 1), times a power of two."""
    rng = np.random.default_rng(seed)
    shape = (2**13,) if FORMATS[name].row.grouping in ("block", "tensor") else (256, 128)
    x = rng.standard_normal(shape) * 2.0 ** rng.integers(-3, 4)
    return x.astype(np.float32).astype(np.float64)


@ALL
def test_codes_are_those_of_exact_arithmetic(name: str) -> None:
    """The nearest value of the quotient as a fraction; of two, either."""
    format = FORMATS[name]
    h = format.Hyper()
    x = numbers(name)
    code, scale = format.encode(h, x)
    divisor = format.per_element(h, format.divisor(h, x, scale), x.shape).reshape(-1)
    codes, values = format.ranked
    exact = [Fraction(float(v)) for v in values]
    for k in np.random.default_rng(1).integers(0, x.size, 8):
        quotient = Fraction(float(x.reshape(-1)[k])) / Fraction(float(divisor[k]))
        distance = [abs(quotient - v) for v in exact]
        nearest = {int(codes[i]) for i, d in enumerate(distance) if d == min(distance)}
        assert int(code.reshape(-1)[k]) in nearest


def test_nf4_has_the_thresholds_of_its_kernels() -> None:
    """Rounded to float32, they are the constants of the decision tree."""
    format = FORMATS["nf4"]
    found = format.thresholds(format.Hyper()).astype(np.float32)
    assert np.max(np.abs(found - np.array(NF4_TREE, np.float32))) <= 2.0**-25


@pytest.mark.parametrize("rule", ["floor", "ceil", "rceil", "even"])
def test_exponents_next_to_powers_of_two(rule: str) -> None:
    """Where a logarithm in float32 gives the next integer: 2^k and its neighbours, of every k."""
    format = FORMATS["mxfp8_e4m3"]
    k = np.arange(-100, 127)
    power = np.ldexp(np.float32(1), k)
    x = np.zeros((3, k.size, 32), np.float32)
    x[0, :, 5] = np.nextafter(power, np.float32(0))
    x[1, :, 5] = power
    x[2, :, 5] = np.nextafter(power, np.float32(np.inf))
    _, scale = format.encode(format.Hyper(rule=rule), x)
    found = scale.reshape(3, -1).astype(int) - 127 - (k - 8)
    due = {"floor": [-1, 0, 0], "ceil": [0, 0, 1], "rceil": [0, 0, 0], "even": [0, 0, 0]}[rule]
    assert (found == np.array(due)[:, None]).all()


def test_scales_saturate_where_their_format_ends() -> None:
    """The least exponent is that of 2^-127, and no finite number has the nan's."""
    format = FORMATS["mxfp4"]
    x = np.repeat([2.0**-149, 3.0e38, np.inf, np.nan, 0.0], 32)
    with np.errstate(invalid="ignore"):
        _, scale = format.encode(format.Hyper(), x)
    assert scale.tolist() == [0, 252, 255, 255, 0]
    assert format.value(format.Hyper(), scale)[0] == 2.0**-127


def test_block_scales_of_nvfp4_are_the_nearest() -> None:
    """Against all values of the 8-bit float, ties to even, saturated."""
    positive = np.array(tables.E4M3)[:127]
    middle = (positive[:-1] + positive[1:]) / 2
    assert (e4m3_nearest(positive) == np.arange(127)).all()
    assert (e4m3_nearest(middle) % 2 == 0).all()
    up, down = np.nextafter(middle, np.inf), np.nextafter(middle, 0)
    assert (e4m3_nearest(up) == np.arange(1, 127)).all()
    assert (e4m3_nearest(down) == np.arange(126)).all()
    assert e4m3_nearest(np.array([1e9, np.nan])).tolist() == [126, 127]


@ALL
def test_groups_cover_every_element_once(name: str) -> None:
    """In their order, whatever the shape."""
    format = FORMATS[name]
    h = format.Hyper()
    for shape in ((), (1,), (300,), (3, 5), (130, 140), (2, 3, 200), (0,), (0, 4)):
        group = format.group_of(h, shape)
        assert group.shape == shape
        assert set(group.reshape(-1).tolist()) == set(range(format.groups(h, shape)))
