"""What an error bound is where numbers enter, are rounded, are stored, or leave the range.

Each number here is worked out by hand from the units of the format, and is due to the last bit:
a bound that is too wide lets faults through, and one that is too narrow fails what is right.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.bounded.certainty import (
    certainly_infinite,
    certainly_nan,
    finish,
    meet,
    perhaps_nan,
    power_of_two,
    rounded,
    top,
    underflow,
    zero,
)
from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.reference.validation import Array

FLOAT32 = PROFILES["ieee_float32"]
HALF, SINGLE, DOUBLE = FORMATS["float16"], FORMATS["float32"], FORMATS["float64"]
BFLOAT = FORMATS["bfloat16"]
INF, NAN = np.inf, np.nan
# Of float16: u = 2^-11, eta = 2^-25, the largest number 65504.
U, ETA, MOST = 2.0**-11, 2.0**-25, 65504.0


def _bounded(v: Array, e: Array, format: object = SINGLE, **facts: object) -> Bounded:
    values, errors = np.asarray(v, np.float64), np.asarray(e, np.float64)
    return Bounded(values, errors, FLOAT32, format, **facts)  # type: ignore[arg-type]


CASES = [
    (1.0, 0.0, 0.0),
    (-1.5, 0.0, 0.0),
    (1.1, 0.0, U * 1.1 + ETA),
    (-1.1, 0.0, U * 1.1 + ETA),
    (1.0, 0.25, 0.25 + U * 1.25 + ETA),
    (1.1, 0.25, 0.25 + U * 1.35 + ETA),
    (0.0, 0.0, 0.0),
    (1e-9, 0.0, U * 1e-9 + ETA),
    (MOST, 0.0, 0.0),
    (MOST, 1.0, INF),
    (-65519.0, 0.0, INF),
    (1e9, 0.0, INF),
    (INF, 0.0, 0.0),
    (-INF, 0.0, 0.0),
    (1.0, INF, INF),
]


@pytest.mark.parametrize(("v", "e", "due"), CASES)
def test_a_number_in_a_narrower_format_errs_by_one_rounding(v: float, e: float, due: float) -> None:
    """None of one that the format has for certain; beyond its largest, nothing is known."""
    (array,) = rounded(_bounded([v], [e]), HALF).e
    assert array == due
    assert float(rounded(_bounded(v, e), HALF).e) == due


def test_what_is_due_as_a_nan_stays_due() -> None:
    """And of what nothing is known, nothing is."""
    found = rounded(_bounded([NAN, NAN, 1.0], [0.0, INF, INF]), HALF)
    assert found.e.tolist() == [0.0, INF, INF]
    assert float(rounded(_bounded(NAN, 0.0), HALF).e) == 0.0
    assert found.format is HALF


def test_a_wider_or_equal_format_rounds_nothing() -> None:
    """Whatever the number; what is known of it goes with it."""
    facts = {
        "nonnegative": True, "host": True, "shrinks": 0.5, "divisor": 3.0, "fraction": 0.25,
        "depth": 7.0, "reach": np.asarray(9.0),
    }  # fmt: skip
    for target in (SINGLE, DOUBLE, HALF):
        found = rounded(_bounded(1.1, 0.25, **facts), target)
        assert (found.e == 0.25) == (target is not HALF)
        assert found.format is target and found.v == 1.1
        assert {name: getattr(found, name) for name in facts} == facts


def test_where_operands_meet() -> None:
    """A scalar of the host takes the array's format; of two scalars or arrays, the coarser."""
    array, scalar = _bounded([1.1], [0.0], HALF), _bounded(1.1, 0.0, DOUBLE, host=True)
    for first, second in (meet(array, scalar), meet(scalar, array)[::-1]):
        assert first is array and second.format is HALF and second.host
        assert float(second.e) == U * 1.1 + ETA
    finer = _bounded([1.1], [0.0], SINGLE)
    for first, second in (meet(array, finer), meet(finer, array)[::-1]):
        assert first.format is second.format is HALF
        assert first.e == 0.0 and second.e == U * 1.1 + ETA
    same = _bounded([2.1], [0.0], HALF)
    assert meet(array, same) == (array, same)
    # In float16 and bfloat16 neither has the other's numbers: the coarser unit is bfloat16's.
    other = _bounded([1.1], [0.0], BFLOAT)
    for first, second in (meet(array, other), meet(other, array)[::-1]):
        assert first.format is second.format is BFLOAT and second.e == 0.0
        assert first.e == 2.0**-8 * 1.1 + BFLOAT.eta
    both = _bounded(1.1, 0.0, HALF, host=True), _bounded(1.1, 0.0, SINGLE, host=True)
    assert meet(*both)[0] is not None and meet(*both)[1].format is HALF


def _finish(v: Array, e: Array, definite: Array = False, **facts: Array) -> Bounded:
    like = _bounded([0.0], [0.0], HALF)
    values, errors = np.asarray(v, np.float64), np.asarray(e, np.float64)
    return finish(like, values, errors, host=False, definite=lambda: definite, **facts)


def test_a_result_within_the_range_keeps_its_bound() -> None:
    """Up to the largest number; its size is its mass, and at least 1 its reach."""
    found = _finish([1.0, -0.25, MOST - 4], [0.5, 0.0, 4.0])
    assert found.e.tolist() == [0.5, 0.0, 4.0]
    assert found.mass.tolist() == [1.0, 0.25, MOST - 4]
    assert found.reach.tolist() == [1.0, 1.0, MOST - 4]
    assert (found.beyond, found.links, found.nonnegative, found.host) == (False, 0, False, False)


def test_a_result_that_may_leave_the_range_is_not_judged() -> None:
    """By its own size and bound, by the mass of its terms, or by what a partial product reaches."""
    assert _finish([MOST, 1.0], [1.0, 0.5]).e.tolist() == [INF, 0.5]
    assert _finish([MOST - 4, MOST], [4.0, 1.0]).e.tolist() == [4.0, INF]
    far = np.array([MOST + 1, 1.0])
    assert _finish([1.0, 1.0], [0.5, 0.5], mass=far).e.tolist() == [INF, 0.5]
    assert _finish([1.0, 1.0], [0.5, 0.5], reach=far).e.tolist() == [INF, 0.5]
    assert _finish([1.0], [0.5], reach=np.array([9.0]), mass=np.array([3.0])).reach == 9.0
    # The reach at hand is larger than the mass and its bound, or smaller.
    assert _finish([MOST, 1.0], [1.0, 0.5], reach=np.ones(2)).e.tolist() == [INF, 0.5]


def test_what_is_beyond_the_range_for_certain_is_known_to_be() -> None:
    """Where it exceeds the largest number by two ulps even at twice its bound."""
    edge = MOST * (1 + 2 * U)
    v = np.array([edge, np.nextafter(edge, INF), edge + 200.0, np.nextafter(edge + 200.0, INF)])
    found = _finish(v, [0.0, 0.0, 100.0, 100.0])
    assert np.asarray(found.beyond).tolist() == [False, True, False, True]
    assert np.all(found.e == INF)


def test_what_is_not_finite_is_due_where_that_is_definite() -> None:
    """A finite number beyond the range never is."""
    found = _finish([INF, NAN, INF, 1e9], [NAN, NAN, NAN, 0.0], np.array([True, True, False, True]))
    assert found.e.tolist() == [0.0, 0.0, INF, INF]


def test_the_largest_of_sizes() -> None:
    """Of a scalar, of arrays of any rank, of none; a nan wins."""
    assert top(np.asarray(0.5)) == 0.5
    assert top(np.array([[0.5, 0.25], [0.125, 0.75]])) == 0.75
    assert top(np.zeros((0, 3))) == 0.0
    assert np.isnan(top(np.array([1.0, NAN])))


def test_zeros_and_powers_of_two_are_certain_without_an_error() -> None:
    """And nowhere else."""
    assert zero(_bounded(2.0, 0.0)) is False and zero(_bounded([2.0, 1.0], [0.0, 0.0])) is False
    found = zero(_bounded([0.0, 0.0, 1.0, -0.0], [0.0, 0.5, 0.0, 0.0]))
    assert np.asarray(found).tolist() == [True, False, False, True]
    assert bool(zero(_bounded(0.0, 0.0))) and not bool(zero(_bounded(0.0, 0.1)))
    assert power_of_two(_bounded(0.25, 0.0)) and power_of_two(_bounded(-8.0, 0.0))
    assert not power_of_two(_bounded(0.75, 0.0)) and not power_of_two(_bounded(0.25, 0.01))
    assert not power_of_two(_bounded([0.25], [0.0]))


def test_nans_and_infinities_are_certain_without_an_error() -> None:
    """A computed infinity of either sign may be a nan in another order; a given one is none."""
    x = _bounded([NAN, NAN, INF, -INF, INF, 1.0], [0.0, INF, 0.0, 0.0, INF, 0.0])
    assert np.asarray(certainly_nan(x)).tolist() == [True, False, False, False, False, False]
    y = _bounded([1.0, 1.0, NAN, 1.0, 1.0, 1.0], [0.0] * 6)
    assert np.asarray(certainly_nan(x, y)).tolist() == [True, False, True, False, False, False]
    assert np.asarray(certainly_infinite(x)).tolist() == [False, False, True, True, False, False]
    assert np.asarray(perhaps_nan(x)).tolist() == [False, False, True, True, True, False]
    assert perhaps_nan(dataclasses.replace(x, given=True)) is False
    assert perhaps_nan(dataclasses.replace(x, nonnegative=True)) is False


@pytest.mark.parametrize(("ulps", "etas"), [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0)])
def test_an_operation_loses_as_many_units_at_the_bottom(ulps: float, etas: float) -> None:
    """Half a unit by rounding, and what it errs besides."""
    assert underflow(_bounded(1.0, 0.0, HALF), ulps) == etas * ETA


def test_numbers_enter_as_the_kernel_reads_them() -> None:
    """Inputs exactly, or as zero where subnormals are flushed; constants rounded."""
    flushing = dataclasses.replace(FLOAT32, subnormals="flushed")
    least = SINGLE.least_normal
    x = np.array([1.1, least, least / 2, -least / 4, 0.0])
    assert Bounded.exact(x, FLOAT32).e.tolist() == [0.0] * 5
    assert Bounded.exact(x, flushing).e.tolist() == [0.0, 0.0, least / 2, least / 4, 0.0]
    assert not Bounded.exact(x, FLOAT32).nonnegative and Bounded.exact(x[:3], FLOAT32).nonnegative
    assert Bounded.exact(x, FLOAT32).given
    made = Bounded.constant(np.array([1.1, -1.1, 0.5, INF, NAN]), FLOAT32)
    lost = 2.0**-24 * 1.1 + FLOAT32.eta(SINGLE)
    assert made.e.tolist() == [lost, lost, 0.0, 0.0, 0.0]


def test_numbers_of_the_host_are_in_the_host_s_format() -> None:
    """In double exactly, in single rounded; a count in the counter's format."""
    assert float(Bounded.hyper(0.1, FLOAT32).e) == 0.0
    narrow = Bounded.hyper(0.1, FLOAT32, SINGLE)
    assert float(narrow.e) == 2.0**-24 * 0.1 + SINGLE.eta and narrow.host
    assert Bounded.hyper(0.1, FLOAT32).nonnegative and Bounded.hyper(0.0, FLOAT32).nonnegative
    assert not Bounded.hyper(-0.1, FLOAT32).nonnegative
    # What rounds to zero may round to a number of the other sign, as far as its bound says.
    tiny = Bounded.hyper(1e-9, FLOAT32, HALF)
    assert float(tiny.e) == U * 1e-9 + ETA and not tiny.nonnegative
    assert Bounded.exact(np.zeros(1), FLOAT32).nonnegative
    (e,) = Bounded.constant(np.array([1e-9]), PROFILES["float16"]).e
    assert e == U * 1e-9 + ETA
    tensor = Bounded.exact(np.ones(2), FLOAT32)
    assert tensor.lift(tensor) is tensor
    assert tensor.lift(0.1).format is DOUBLE and tensor.lift(3).host
    counting = dataclasses.replace(FLOAT32, counter="float32")
    t = Bounded.exact(np.ones(2), counting).lift(Counter(2**24 + 1))
    assert float(t.e) == 2.0**-24 * (2**24 + 1) + SINGLE.eta and t.format is SINGLE
    with pytest.raises(TypeError, match="cannot mix a Bounded array with str"):
        tensor.lift("1")


@pytest.mark.parametrize(("v", "e", "due"), CASES)
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_what_is_stored_errs_by_one_rounding_more(
    rounding: str, v: float, e: float, due: float
) -> None:
    """To either neighbour, where noise decides: by twice as much."""
    arithmetic = dataclasses.replace(FLOAT32, storage={"m": "float16"}, rounding=rounding)
    x = Bounded(np.array([v]), np.array([e]), arithmetic, SINGLE, nonnegative=v > 0)
    found = x.stored("m")
    if rounding == "stochastic" and 0 < due < INF:
        due = e + 2 * U * (abs(v) + e) + arithmetic.eta(HALF)
    assert (found.e.tolist(), found.format, found.nonnegative) == ([due], HALF, v > 0)
    assert x.stored("p") is x


def test_what_may_be_a_nan_is_stored_as_such() -> None:
    """With the bound of what it is where it is none."""
    arithmetic = dataclasses.replace(FLOAT32, storage={"m": "float16"})
    hazy = np.array([0.5, INF])
    x = Bounded(np.array([1.0, 1.0]), np.array([INF, 0.25]), arithmetic, SINGLE, hazy=hazy)
    found = x.stored("m")
    assert found.hazy is not None
    assert found.e.tolist() == [INF, 0.25 + U * 1.25 + ETA]
    assert found.hazy.tolist() == [0.5 + U * 1.5 + ETA, INF]
    clear = _bounded([1.0, 1.0], [0.75, INF], hazy=np.array([INF, 0.125]))
    out = _bounded([1.0, 1.0], [INF, INF]).clouded(clear)
    assert out.hazy is not None and out.hazy.tolist() == [0.75, 0.125]
    assert x.cleared.e.tolist() == [0.5, 0.25] and x.cleared.hazy is None
    plain = dataclasses.replace(x, hazy=None)
    assert plain.cleared is plain and plain.stored("m").hazy is None


def test_an_error_covers_another_form() -> None:
    """As far as that is off, with its own error; nothing is known where either is not."""
    x = _bounded([1.0, 1.0, 1.0, INF], [0.5, 0.0, 0.0, 0.0], host=True)
    other = _bounded([1.0, 1.25, 1.0, INF], [0.25, 0.125, INF, 0.0])
    found = x.covering(other)
    assert found.e.tolist() == [0.5, 0.375, INF, INF] and found.v is x.v and found.host


def test_shapes_and_sizes() -> None:
    """Of a tensor; its mass and reach are those of its values, unless they are told."""
    x = _bounded(np.full((2, 3), -0.5), np.zeros((2, 3)))
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
    assert np.all(x.mass == 0.5) and np.all(x.reach == 1.0)
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == (3, 2)
    assert x.T.shape == (3, 2) and x[0].shape == (3,)


def test_what_is_not_known_of_a_bounded_array_is_refused() -> None:
    """A ufunc without a rule, another method, a keyword: by the name that was called."""
    x, y = Bounded.exact(np.ones(2), FLOAT32), Bounded.hyper(2.0, FLOAT32)
    for call, told in (
        (lambda: np.arctanh(x), r"numpy\.arctanh is not supported"),
        (lambda: np.add.reduce(x), r"numpy\.add\.reduce is not supported"),
        (lambda: np.add(x, x, dtype=np.float32), r"numpy\.add with dtype is not supported"),
        (lambda: np.median(x), r"numpy\.median is not supported"),
    ):
        with pytest.raises(TypeError, match=told):
            call()
    # The same operation on the same two numbers of the host is evaluated once.
    assert (y + y) is (y + y) and (x + y) is not (x + y)


@pytest.mark.parametrize(("given", "sheer"), [(True, False), (False, True), (False, False)])
def test_an_infinity_that_is_one_in_every_order_stays_one_when_rounded(
    given: bool, sheer: bool
) -> None:
    """Those of inputs, and those that were already."""
    a = _bounded(np.asarray([np.inf]), np.zeros(1), given=given, sheer=sheer)
    assert rounded(a, FORMATS["bfloat16"]).sheer is (given or sheer)


def test_what_may_be_a_nan_is_hazy_or_a_computed_infinity() -> None:
    """Either suffices; an input's infinity is none."""
    v, hazy = np.asarray([np.inf, np.inf, 1.0, 1.0]), np.asarray([np.inf, 1.0, np.inf, 1.0])
    a = _bounded(v, np.zeros(4), hazy=hazy)
    assert perhaps_nan(a).tolist() == [True, True, False, True]
    given = _bounded(v, np.zeros(4), hazy=hazy, given=True)
    assert perhaps_nan(given).tolist() == [False, True, False, True]
