"""Powers of two as 8-bit scales: rounding in every mode, and what the format has no number for."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from truestep.reference.quantizers import float8_e8m0fnu
from truestep.reference.quantizers.float8_e8m0fnu import Hyper, decode, encode

DIRECTED = [name for name in float8_e8m0fnu.DIALECTS["rounding"] if name != "stochastic"]
EVERY = pytest.mark.parametrize("rounding", DIRECTED)
# Between 2^-127 and the midpoint above it ml_dtypes goes up, away from the nearest value.
LEAST = 2.0**-127


def oracle(x: np.ndarray) -> np.ndarray:
    """The codes that ml_dtypes gives."""
    with np.errstate(all="ignore"):
        return x.astype(np.float32).astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)


def numbers() -> np.ndarray:
    """Every threshold of every mode with its float32 neighbours, of both signs, and infinities."""
    middle = np.concatenate(
        [float8_e8m0fnu.thresholds(Hyper(rounding=r)) for r in ("up", "nearest_up")]
    )
    middle = middle.astype(np.float32)
    with np.errstate(over="ignore"):
        around = [middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)]
    x = np.concatenate([*around, [0.0, np.inf, np.nan, 2.0**-149]]).astype(np.float64)
    return np.concatenate([x, -x])


def test_every_code_decodes_as_in_ml_dtypes() -> None:
    """255 powers of two and one nan."""
    codes = np.arange(256).astype(np.uint8)
    want = codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    assert np.array_equal(decode(Hyper(), codes), want, equal_nan=True)


def test_every_threshold_and_exponent_encodes_as_in_ml_dtypes() -> None:
    """At and beside thresholds, of every bfloat16 and float16, where ml_dtypes is right."""
    bits = np.arange(2**16, dtype=np.uint16)
    with np.errstate(invalid="ignore"):
        many = [bits.view(dtype).astype(np.float64) for dtype in (ml_dtypes.bfloat16, np.float16)]
        many += [((bits.astype(np.uint32) << 16) + k).view(np.float32) for k in (1, 0x8000)]
        x = np.concatenate([numbers(), *many], dtype=np.float64)
    wrong = encode(Hyper(), x) != oracle(x)
    assert np.array_equal(wrong, (x > LEAST) & (x < 1.5 * LEAST))
    assert (oracle(x[wrong]) == 1).all()


@EVERY
def test_the_nearest_or_the_next_by_rational_arithmetic(rounding: str) -> None:
    """No power is nearer, and a tie goes where it is due; up and down it is the next one."""
    rng = np.random.default_rng(1)
    x = np.ldexp(rng.uniform(1, 2, 500), rng.integers(-127, 127, 500))
    x = np.concatenate([x, 1.5 * 2.0 ** np.arange(-127, 127), 2.0 ** np.arange(-127, 127)])
    for value, code in zip(x, encode(Hyper(rounding=rounding), x), strict=True):
        exact, below = Fraction(float(value)), Fraction(2) ** (int(np.frexp(value)[1]) - 1)
        above = 2 * below if exact > below else below
        if rounding == "up":
            due = above
        elif rounding == "down":
            due = below
        elif exact - below == above - exact:
            odd = (int(np.frexp(value)[1]) - 1) % 2 == 0
            due = above if rounding == "nearest_up" or odd else below
        else:
            due = min((below, above), key=lambda power: abs(exact - power))
        assert Fraction(2) ** (int(code) - 127) == due


@EVERY
def test_monotone_and_idempotent(rounding: str) -> None:
    """A larger number never has a smaller code, and a power of two has its own."""
    h = Hyper(rounding=rounding, overflow="saturate")
    x = np.sort(np.abs(numbers()))
    x = x[(x > 0) & ~np.isnan(x)]
    code = encode(h, x).astype(int)
    assert (np.diff(code) >= 0).all()
    assert code[0] == 0
    assert code[-1] == 254
    assert (encode(h, float8_e8m0fnu.all_values(h)) == np.arange(256)).all()


@EVERY
def test_thresholds_are_where_the_code_changes(rounding: str) -> None:
    """The float32 numbers beside a threshold have different codes; between two there is one."""
    h = Hyper(rounding=rounding)
    t = float8_e8m0fnu.thresholds(h).astype(np.float32)[1:]
    below, above = np.nextafter(t, np.float32(0)), np.nextafter(t, np.float32(np.inf))
    assert (encode(h, above.astype(float)) == encode(h, below.astype(float)) + 1).all()
    assert (encode(h, above[:-1].astype(float)) == encode(h, below[1:].astype(float))).all()


def test_what_the_format_has_no_number_for() -> None:
    """Zeros, negative numbers, overflow and nan by their dialects."""
    x = np.array([0.0, -0.0, -3.0, -np.inf, np.inf, 1.5 * 2.0**127, np.nan, -np.nan])
    assert (encode(Hyper(), x) == 255).all()
    free = Hyper(negative="magnitude", overflow="saturate", zero="least")
    assert encode(free, x).tolist() == [0, 0, 129, 254, 254, 254, 255, 255]
    assert encode(Hyper(rounding="down"), x)[4:6].tolist() == [255, 254]
    low, high = float8_e8m0fnu.admissible(Hyper(negative="undefined", zero="least"), x)
    assert low.tolist() == [0, 0, 0, 0, 255, 255, 255, 255]
    assert high.tolist() == [0, 0, 255, 255, 255, 255, 255, 255]


def test_numbers_below_the_range_become_its_least() -> None:
    """Whichever way is rounded."""
    x = np.array([2.0**-149, 2.0**-128, 1.99 * 2.0**-128, 2.0**-127])
    for rounding in DIRECTED:
        assert (encode(Hyper(rounding=rounding), x) == 0).all()
