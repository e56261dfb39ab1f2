from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from truestep.properties.arithmetic.exact import DIGITS, FUNCTIONS, OPERATIONS, Exact


def _value(x: Exact, digits: int = 50) -> str:
    return str(mpmath.nstr(x.x.item() if isinstance(x.x, np.ndarray) else x.x, digits))


CLOSED_FORMS: dict[str, tuple[Callable[[], Any], str]] = {
    "cosine of 1": (
        lambda: np.cos(Exact.of(1.0)),
        "0.5403023058681397174009366074429766037323104206179222276700972553811003947744717645179518560871830893",
    ),
    "e": (
        lambda: np.exp(Exact.of(1.0)),
        "2.718281828459045235360287471352662497757247093699959574966967627724076630353547594571382178525166427",
    ),
    "logarithm of 2": (
        lambda: np.log(Exact.of(2.0)),
        "0.6931471805599453094172321214581765680755001343602552541206800094933936219696947156058633269964186875",
    ),
    "power 2^(1/2)": (
        lambda: Exact.of(2.0) ** Exact.of(0.5),
        "1.414213562373095048801688724209698078569671875376948073176679737990732478462107038850387534327641573",
    ),
    "root of 2": (
        lambda: np.sqrt(Exact.of(2.0)),
        "1.414213562373095048801688724209698078569671875376948073176679737990732478462107038850387534327641573",
    ),
    "third": (lambda: 1 / Exact.of(3.0), "0." + 100 * "3"),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_fifty_digits_of_closed_forms(name: str) -> None:
    """Operations agree with published digits to the fifty that are claimed."""
    compute, digits = CLOSED_FORMS[name]
    with mpmath.workdps(DIGITS):
        error = abs(mpmath.mpf(compute().x.item()) - mpmath.mpf(digits))
        assert error < mpmath.mpf(10) ** -50


def test_sums_and_products_of_float64_are_exact() -> None:
    """Where the result fits in the digits it is the rational number."""
    a, b = 0.1, 1.0 + 2.0**-52
    with mpmath.workdps(DIGITS):
        for exact, truth in (
            (Exact.of(a) + Exact.of(b), Fraction(a) + Fraction(b)),
            (Exact.of(a) - b, Fraction(a) - Fraction(b)),
            (a * Exact.of(b), Fraction(a) * Fraction(b)),
            (np.square(Exact.of(b)), Fraction(b) ** 2),
        ):
            numerator, denominator = truth.numerator, truth.denominator
            assert exact.x.item() * denominator == numerator


def test_small_terms_are_not_lost() -> None:
    """(1 + 2^-150) - 1 is 2^-150, which float64 loses."""
    with mpmath.workdps(DIGITS):
        assert ((Exact.of(1.0) + Exact.of(2.0**-150)) - 1.0).x.item() == mpmath.mpf(2) ** -150


def test_functions_agree_with_numpy_on_integers() -> None:
    """Structure and reductions do what NumPy's do."""
    x = np.arange(1.0, 7.0).reshape(2, 3)
    with mpmath.workdps(DIGITS):
        for function in (
            np.amax,
            np.copy,
            np.max,
            np.mean,
            np.min,
            np.ones_like,
            np.ravel,
            np.sum,
            np.transpose,
            np.zeros_like,
            lambda a: np.broadcast_to(a, (2, 2, 3)),
            lambda a: np.clip(a, 2.0, 4.0),
            lambda a: np.concatenate([a, a]),
            lambda a: np.expand_dims(a, 0),
            lambda a: np.maximum(a, 3.0),
            lambda a: np.reshape(a, (3, 2)),
            lambda a: np.stack([a, a]),
            lambda a: np.sum(a, axis=0, keepdims=True),
            lambda a: np.where(a > 3, a, -a),
            lambda a: a @ a.T,
            lambda a: a[1:, ::2],
        ):
            np.testing.assert_array_equal(
                function(Exact.of(x)).x.astype(float), function(x), err_msg=str(function)
            )
        assert np.linalg.norm(Exact.of(np.array([3.0, 4.0]))).x.item() == 5


def test_comparisons_give_boolean_arrays() -> None:
    """Comparisons decide, exactly: there is no rounding to be undecided about."""
    with mpmath.workdps(DIGITS):
        above = Exact.of(np.array([0.1, 0.2])) > Exact.of(0.1)
    np.testing.assert_array_equal(above, [False, True])


def test_numbers_divide_over_zero_as_ieee_does() -> None:
    """To an infinity of the numerator's sign, or a nan."""
    with mpmath.workdps(DIGITS):
        found = Exact.of(np.array([2.0, -2.0, 0.0, 1.0])) / np.array([0.0, 0.0, 0.0, 4.0])
        assert [str(x) for x in found.x] == ["+inf", "-inf", "nan", "0.25"]


def test_masks_stay_masks() -> None:
    """Arrays of bool and single ones, beside numbers and in lists."""
    x, mask = Exact.of(np.array([1.0, 2.0])), np.array([True, False])
    with mpmath.workdps(DIGITS):
        for condition, due in ((mask, [1, 0]), (True, [1, 2]), (np.bool_(False), [0, 0])):
            assert np.where(condition, x, 0.0).x.tolist() == due
        assert isinstance(np.isfinite(x), np.ndarray) and np.isfinite(x).dtype == bool
        assert np.isnan(Exact.of(np.array([np.nan, 1.0]))).tolist() == [True, False]
        assert np.concatenate([x, np.array([0.5])]).x.tolist() == [1, 2, mpmath.mpf(0.5)]


def test_unsupported_functions_are_named() -> None:
    """What is not exact raises TypeError with its name."""
    x = Exact.of(np.ones(2))
    for function, name in ((np.tan, "tan"), (np.median, "median"), (np.cumsum, "cumsum")):
        with pytest.raises(TypeError, match=name):
            function(x)


def test_both_tables_offer_what_the_error_carrying_arrays_do() -> None:
    """A reference that runs on Bounded runs on Exact: no operation is missing here."""
    from truestep.properties.arithmetic.bounded import bounded, functions

    alike = {np.fabs, np.isinf, np.isnan}  # asked of bounds only
    assert set(bounded.OPERATIONS) - alike <= set(OPERATIONS)
    assert set(functions.FUNCTIONS) <= set(FUNCTIONS)


def test_the_whole_part_is_that_of_the_exact_number() -> None:
    """0.29 is below its decimal, and so is a hundred times it; no rounding goes up to 29."""
    with mpmath.workdps(DIGITS):
        assert math.floor(Exact.of(0.29) * 100) == 28
        assert math.floor(Exact.of(-0.5)) == -1
