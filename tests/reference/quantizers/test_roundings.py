"""Small floats rounded otherwise than to the nearest even: ties away, toward zero, drawn."""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from truestep.reference.quantizers import QUANTIZERS, bfloat16, float8_e4m3fn, float8_e8m0fnu

SIGNED = sorted(name for name, rule in QUANTIZERS.items() if hasattr(rule, "FORMAT"))
every = pytest.mark.parametrize("name", SIGNED)
drawn = pytest.mark.parametrize("name", [*SIGNED, "float8_e8m0fnu"])


def hyper(name: str, rounding: str) -> Any:
    """With numbers that leave the range seen to as the format has it by default."""
    free = {"negative": "magnitude"} if name == "float8_e8m0fnu" else {}
    return QUANTIZERS[name].Hyper(rounding=rounding, **free)


def numbers(name: str) -> np.ndarray:
    """Float32 numbers of every exponent and both signs, and the format's values and midpoints."""
    module: ModuleType = QUANTIZERS[name]
    upper = np.arange(0, 2**16, 13, dtype=np.uint32) << 16
    lower = np.random.default_rng(4).integers(0, 2**16, upper.shape, np.uint32)
    with np.errstate(all="ignore"):
        x = (upper | lower).view(np.float32).astype(np.float64)
        near = hyper(name, "nearest_even")
        own = [module.all_values(near), module.thresholds(near)]
    x = np.concatenate([x, *(values[:: -(-values.size // 3000)] for values in own)])
    return x[np.isfinite(x)]


def ends(name: str, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """The codes and the values of the two that a drawn rounding has to choose from."""
    module, h = QUANTIZERS[name], hyper(name, "stochastic")
    codes = module.admissible(h, x)
    return (*codes, *(module.decode(h, code) for code in codes))


@drawn
def test_drawn_roundings_are_unbiased_exactly(name: str) -> None:
    """low (1 - p) + high p = x in rational arithmetic wherever both neighbours are finite."""
    x = numbers(name)
    x = np.abs(x[x != 0]) if name == "float8_e8m0fnu" else x
    low, high, least, most = ends(name, x)
    p = QUANTIZERS[name].probability_up(hyper(name, "stochastic"), x)
    assert ((p >= 0) & (p <= 1)).all()
    assert (p[low == high] == 0).all()
    finite = np.isfinite(least) & np.isfinite(most) & (low != high)
    assert finite.sum() > 100
    for xi, li, hi, pi in zip(*(a[finite][::7] for a in (x, least, most, p)), strict=True):
        # Of a number far below the least value 1 - p is not exact in float64.
        exact = abs(Fraction(xi) - Fraction(li)) / (Fraction(hi) - Fraction(li))
        assert abs(exact - Fraction(pi)) <= 2.0**-53


@every
def test_drawn_roundings_go_to_the_next_value_of_either_side(name: str) -> None:
    """low <= x <= high with no value between, and a value of the format never moves."""
    module, x = QUANTIZERS[name], numbers(name)
    _, _, least, most = ends(name, x)
    values = module.all_values(hyper(name, "stochastic"))
    values = np.unique(values[np.isfinite(values)])
    inner = np.abs(x) <= values[-1]
    assert (least[inner] <= x[inner]).all()
    assert (x[inner] <= most[inner]).all()
    place = [np.searchsorted(values, end[inner]) for end in (least, most)]
    own = np.isin(x[inner], values)
    assert np.array_equal(place[1] - place[0], np.where(own, 0, 1))


@drawn
def test_drawn_roundings_go_up_as_often_as_they_say(name: str) -> None:
    """Over all 2^16 random integers the upper code appears 2^16 p times, to one."""
    module, h = QUANTIZERS[name], hyper(name, "stochastic")
    random = np.arange(2**16)
    values = module.all_values(h)
    top = float(np.max(values[np.isfinite(values)]))
    for number in (1.0, 1.001, -1.001, 3e-40, -3e-40, 0.7 * top, min(1.1 * top, 3.39e38)):
        x = np.full(2**16, np.float64(np.float32(number)))
        low, high, *_ = (end[0] for end in ends(name, x))
        code = module.encode(h, x, random)
        assert set(code.tolist()) <= {int(low), int(high)}
        p = module.probability_up(h, x)[0]
        if low != high:
            # Between two multiples of 2^-16 the one above is taken.
            assert abs(np.count_nonzero(code == high) - p * 2**16) <= 1


@every
def test_drawn_roundings_are_monotone_for_one_random_integer(name: str) -> None:
    """With a common random integer a larger positive x never has a smaller code."""
    h, x = hyper(name, "stochastic"), np.sort(np.abs(numbers(name)))
    for random in (0, 40_000, 65_535):
        code = QUANTIZERS[name].encode(h, x, np.full(x.shape, random))
        assert (np.diff(code.astype(int)) >= 0).all()


@drawn
def test_drawn_roundings_without_random_integers_are_an_error(name: str) -> None:
    """The reference draws nothing itself."""
    with pytest.raises(ValueError, match="needs random integers"):
        QUANTIZERS[name].encode(hyper(name, "stochastic"), np.ones(2))


@every
def test_toward_zero_no_value_lies_between(name: str) -> None:
    """It is the end of the two that is nearer to zero; what is finite never overflows."""
    module, x = QUANTIZERS[name], numbers(name)
    h = hyper(name, "toward_zero")
    values = module.all_values(h)
    values = np.unique(values[np.isfinite(values)])
    positive = values[values >= 0]
    due = positive[np.searchsorted(positive, np.abs(x), side="right") - 1]
    assert np.array_equal(np.abs(module.decode(h, module.encode(h, x))), due)
    assert module.decode(h, module.encode(h, np.array(1e300))) == values[-1]


@every
@pytest.mark.parametrize("rounding", ["up", "down"])
def test_up_and_down_no_value_lies_between(name: str, rounding: str) -> None:
    """The next value that is not less, or not larger; the mirror image of the other."""
    module, x = QUANTIZERS[name], numbers(name)
    h, mirrored = hyper(name, rounding), hyper(name, {"up": "down", "down": "up"}[rounding])
    values = module.all_values(h)
    values = np.unique(values[np.isfinite(values)])
    y = module.decode(h, module.encode(h, x))
    assert np.array_equal(y, -module.decode(h, module.encode(mirrored, -x)), equal_nan=True)
    sign = 1 if rounding == "up" else -1
    inner = sign * x <= values[-1]
    least = np.maximum(sign * x[inner], values[0])
    assert np.array_equal(sign * y[inner], values[np.searchsorted(values, least)])
    # Beyond the largest value overflow is what the format has by default.
    beyond = module.encode(hyper(name, "nearest_even"), np.full(1, sign * 1e300))
    assert (module.encode(h, x[~inner]) == beyond).all()


@every
def test_ties_away_are_the_only_difference_from_ties_to_even(name: str) -> None:
    """At midpoints the larger magnitude is taken; elsewhere both roundings are one."""
    module, x = QUANTIZERS[name], numbers(name)
    away, even = (hyper(name, f"nearest_{how}") for how in ("away", "even"))
    tie = np.isin(x, module.thresholds(even))
    code = [module.encode(h, x) for h in (away, even)]
    assert np.array_equal(code[0][~tie], code[1][~tie])
    decoded = np.abs(module.decode(away, code[0][tie]))
    assert ((decoded > np.abs(x[tie])) | np.isnan(decoded) | (decoded == decoded.max())).all()


def test_toward_zero_truncates_the_float32_bits() -> None:
    """A bfloat16 is the upper half of the float32, but infinity is reached by infinity alone."""
    h, x = hyper("bfloat16", "toward_zero"), numbers("bfloat16")
    x = x[np.abs(x) <= np.finfo(np.float32).max]
    bits = x.astype(np.float32).view(np.uint32)
    assert (bfloat16.encode(h, x.astype(np.float32)) == bits >> 16).all()
    assert bfloat16.encode(h, np.array(np.inf)) == 0x7F80
    assert bfloat16.encode(h, np.array(1e300)) == 0x7F7F


def test_where_codes_change_hangs_on_the_rounding() -> None:
    """Thresholds are midpoints to nearest, and else the values but for zero."""
    rule = float8_e4m3fn
    values = rule.all_values(hyper("float8_e4m3fn", "toward_zero"))
    cut = rule.thresholds(hyper("float8_e4m3fn", "toward_zero"))
    assert set(values[np.isfinite(values) & (values != 0)]) <= set(cut)
    assert set(cut) - set(values) == {-480.0, 480.0}
    up = float8_e8m0fnu.thresholds(hyper("float8_e8m0fnu", "stochastic"))
    assert np.array_equal(up, float8_e8m0fnu.all_values(hyper("float8_e8m0fnu", "down"))[:255])
