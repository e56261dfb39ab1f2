"""Numbers in two parts: what is read of them, against the bits of float32 and exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from truestep.reference.splits import SPLITS, Hyper, half_spacing

EIGHT, SIXTEEN = SPLITS["bfloat16_rest8"], SPLITS["bfloat16_rest16"]
BITS = ("bits", "signed_bits")


def numbers(seed: int = 0) -> Any:
    """float32 numbers of every size, zeros and the ends of the range."""
    bits = np.random.default_rng(seed).integers(0, 2**32, 4000, dtype=np.uint32)
    x = bits.view(np.float32)
    ends = [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, np.finfo(np.float32).max, np.inf, -np.inf]
    return np.concatenate([x[np.isfinite(x)], np.array(ends, np.float32)])


@pytest.mark.parametrize("rest", BITS)
def test_sixteen_bits_are_those_of_float32(rest: Any) -> None:
    """Every number is read back bit for bit; the parts are its upper and its lower half."""
    h, x = Hyper(rest=rest), numbers()
    code, high = SIXTEEN.encode(h, x.astype(np.float64))
    back = SIXTEEN.decode(h, code, high).astype(np.float32)
    assert np.array_equal(back.view(np.uint32), x.view(np.uint32))
    bits = x.view(np.uint32)
    assert np.array_equal(code.astype(np.int64) & 0xFFFF, bits & 0xFFFF)
    carry = (bits >> 15) & 1 if rest == "signed_bits" else 0
    upper = high.astype(ml_dtypes.bfloat16).view(np.uint16)
    assert np.array_equal(upper, (bits >> 16) + carry)
    assert code.dtype == (np.uint16 if rest == "bits" else np.int16)


@pytest.mark.parametrize("rest", BITS)
@pytest.mark.parametrize("rounding", ["nearest_away", "nearest_even", "toward_zero"])
def test_eight_bits_round_to_sixteen_digits(rest: Any, rounding: Any) -> None:
    """Whole numbers of 17 binary digits: the last one is rounded off, with its carry."""
    h = Hyper(rest=rest, rounding=rounding)
    k = np.arange(2**16, 2**17)
    got = EIGHT.decode(h, *EIGHT.encode(h, -k.astype(np.float64)))
    down = k - k % 2
    up = {"toward_zero": 0, "nearest_away": 2, "nearest_even": 2 * (k // 2 % 2)}[rounding]
    assert np.array_equal(-got, down + k % 2 * up)


def test_a_nan_stays_one_and_keeps_its_sign_off_the_carry() -> None:
    """Whatever its payload."""
    x = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float64)
    for split in SPLITS.values():
        for rest in ("bits", "fraction", "signed_bits"):
            h = Hyper(rest=rest)
            assert np.isnan(split.decode(h, *split.encode(h, wide))).all()


@pytest.mark.parametrize("split", SPLITS.values(), ids=list(SPLITS))
def test_a_fraction_is_of_half_the_spacing(split: Any) -> None:
    """In rational numbers; what is read is off by at most half a unit of it."""
    h = Hyper(rest="fraction", rounding="nearest_away")
    x = numbers(1)[:300].astype(np.float64)
    x = x[np.abs(x) < 1e38]
    code, high = split.encode(h, x)
    nearest = x.astype(np.float32).astype(ml_dtypes.bfloat16)
    assert np.array_equal(high, nearest.astype(np.float64))
    for number, part, top in zip(x, code, high, strict=True):
        unit = Fraction(float(half_spacing(np.float64(top)))) / split.largest
        exact = (Fraction(float(number)) - Fraction(float(top))) / unit
        assert abs(Fraction(int(part)) - exact) <= Fraction(1, 2)


def test_a_drawn_fraction_is_right_on_average() -> None:
    """Over draws that share out the unit evenly; and it says how often it goes up."""
    h, x = Hyper(rest="fraction", rounding="stochastic"), np.array([1.0012, -3.3, 0.7])
    codes = [EIGHT.encode(h, x, np.full(3, 256 * k))[0].astype(np.float64) for k in range(256)]
    high = EIGHT.encode(h, x, np.zeros(3))[1]
    y = EIGHT.fraction(x, high)
    assert np.all(np.abs(np.mean(codes, axis=0) - y) <= 1 / 256)
    least, most = EIGHT.probability_up(h, x, high)
    assert np.all((least <= y - np.floor(y)) & (y - np.floor(y) <= most))
    assert np.all(EIGHT.lower(h, x, high) == EIGHT.rank(np.floor(y)))


def test_the_admissible_hold_what_an_error_makes() -> None:
    """The rest of every number within the error, beside its own high part."""
    h = Hyper(rest="fraction", rounding="nearest_away")
    x = np.linspace(1.0, 1.01, 999)
    code, high = EIGHT.encode(h, x)
    low, most = EIGHT.admissible(h, x + 1e-4, high, error=1e-4)
    rank = EIGHT.rank(code)
    assert np.all((low <= rank) & (rank <= most))
    low, most = EIGHT.admissible(h, x + 1e-4, high, error=5e-5)
    assert not np.all((low <= rank) & (rank <= most))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rest": "bits", "rounding": "stochastic"}, "a rest in bits is not drawn"),
        ({"rest": "half"}, "rest must be one of bits, fraction, signed_bits; got 'half'"),
    ],
)
def test_says_what_it_is_not(fields: dict[str, Any], told: str) -> None:
    """Choices that exclude one another."""
    with pytest.raises(ValueError, match=told):
        Hyper(**fields)


def test_draws_come_from_the_caller() -> None:
    """Without any there is no drawn rest."""
    with pytest.raises(ValueError, match="needs random integers"):
        EIGHT.encode(Hyper(rest="fraction", rounding="stochastic"), np.ones(2))
