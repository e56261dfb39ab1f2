"""Error propagation, one operation after another, each by its worst case.

Over 300 lines, for that is one table of cases after another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.bounded.bounded import OPERATIONS
from truestep.properties.arithmetic.decision import Decision, Undecided
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic
from truestep.properties.judge.contracts import judge

ORACLE = PROFILES["oracle"]
ARITHMETICS = ("bfloat16", "cuda_fast_math", "float16", "ieee_float32")
COMPARISONS = (np.equal, np.greater, np.greater_equal, np.less, np.less_equal, np.not_equal)
TESTS = (np.isfinite, np.isinf, np.isnan)
# Products of matrices have a test of their own.
NUMBERS = [f for f in OPERATIONS if f not in (*COMPARISONS, *TESTS, np.matmul)]
# Largest admissible accuracy of one operation in ulps, by ufunc; the others round correctly.
ULPS = {
    np.arctan: "ulps_function",
    np.cos: "ulps_function",
    np.divide: "ulps_division",
    np.exp: "ulps_function",
    np.log: "ulps_function",
    np.power: "ulps_power",
    np.sin: "ulps_function",
    np.sqrt: "ulps_sqrt",
    np.tanh: "ulps_function",
}


@pytest.mark.parametrize("name", ARITHMETICS)
def test_numbers_of_the_lines_are_rounded_where_the_format_lacks_them(name: str) -> None:
    """An array that a rule makes itself errs by one rounding; what the format has is exact."""
    arithmetic = PROFILES[name]
    x = np.random.default_rng(0).standard_normal(100)
    made = np.zeros_like(Bounded.exact(x, arithmetic)) + np.append(x[1:], 0.5)
    error = np.abs(arithmetic.format.round(made.v) - made.v)
    assert np.all(error <= made.e)
    assert np.all(
        made.e <= arithmetic.format.u * np.abs(made.v) + arithmetic.eta(arithmetic.format)
    )
    assert made.e[-1] == 0 < made.e[0]


def _values(rng: np.random.Generator, n: int, arithmetic: Arithmetic) -> Any:
    """Numbers of the compute format over its whole range, some of them exact or special."""
    f = arithmetic.format
    scale = rng.uniform(np.log2(f.least_normal) / 2 - 4, np.log2(f.largest) / 2, n)
    x = rng.standard_normal(n) * 2.0**scale
    plain = rng.standard_normal(n)
    x = np.where(rng.random(n) < 0.5, plain, x)
    for value, share in ((0.0, 0.08), (1.0, 0.05), (2.0, 0.03), (f.least_normal, 0.03)):
        x = np.where(rng.random(n) < share, value, x)
    x = f.round(x)
    return np.where(np.abs(x) < f.least_normal, 0.0, x) if _flushed(arithmetic) else x


def _flushed(arithmetic: Arithmetic) -> bool:
    return arithmetic.subnormals == "flushed"


def _operand(rng: np.random.Generator, n: int, arithmetic: Arithmetic) -> Bounded:
    """Numbers, half of them with an error from far below their size to beyond it."""
    v = _values(rng, n, arithmetic)
    e = np.abs(v) * 10.0 ** rng.uniform(-9, 0.3, n)
    e = np.where(rng.random(n) < 0.5, 0.0, e)
    return Bounded(v, e, arithmetic, arithmetic.format)


def _anywhere_in(rng: np.random.Generator, a: Bounded) -> Any:
    """Numbers of the format between v - e and v + e, close to the ends in many places."""
    where = np.clip(rng.uniform(-1.3, 1.3, a.v.shape), -1, 1)
    x = a.format.round(a.v + where * a.e)
    x = np.where(np.abs(x - a.v) <= a.e, x, a.v)
    # The operation before flushed its result, so that its interval reaches zero: no subnormals.
    below = (np.abs(x) < a.format.least_normal) & _flushed(a.arithmetic)
    return np.where(below, a.v, x)


def _arguments(ufunc: np.ufunc, rng: np.random.Generator, arithmetic: Arithmetic) -> list[Bounded]:
    out = [_operand(rng, 300, arithmetic) for _ in range(ufunc.nin)]
    if ufunc is np.power:
        exponent = rng.choice([-2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 0.7], 300)
        e = np.where(rng.random(300) < 0.5, 0.0, 1e-3)
        out[1] = Bounded(exponent, e, arithmetic, arithmetic.format)
        out[0] = Bounded(np.abs(out[0].v), out[0].e, arithmetic, arithmetic.format)
    return out


def _faithful(
    ufunc: np.ufunc, inputs: list[Any], arithmetic: Arithmetic, rng: np.random.Generator
) -> Any:
    """The operation as a kernel may do it: within its ulps, flushed where that is declared."""
    x = ufunc(*inputs)
    f = arithmetic.format
    ulps = getattr(arithmetic, ULPS[ufunc]) if ufunc in ULPS else 0.5
    size = np.maximum(np.abs(x), f.least_normal)
    ulp = np.exp2(np.floor(np.log2(size))) * 2 * f.u
    spread = rng.uniform(-1, 1, x.shape) * (ulps - 0.5) * ulp
    # Within one ulp, a result that the format holds is returned.
    held = (x == 0) | (x == 1) | (f.represents(x) & (ulps <= 1))
    out = f.round(np.where(held, x, x + spread))
    if _flushed(arithmetic):
        out = np.where(np.abs(out) < f.least_normal, 0.0, out)
    return out


@pytest.mark.parametrize("name", ARITHMETICS)
@pytest.mark.parametrize("ufunc", NUMBERS, ids=lambda f: f.__name__)
def test_a_faithful_operation_stays_within_its_bound(ufunc: np.ufunc, name: str) -> None:
    """Operands anywhere in their intervals, the result rounded: never farther than e from v."""
    arithmetic = PROFILES[name]
    rng = np.random.default_rng(len(ufunc.__name__))
    judged = 0
    with np.errstate(all="ignore"):
        for _ in range(20):
            operands = _arguments(ufunc, rng, arithmetic)
            result = ufunc(*operands)
            # What float64 itself errs by on the same operands.
            truth = ufunc(*(Bounded(a.v, 0 * a.e, ORACLE, ORACLE.format) for a in operands))
            for _ in range(4):
                inputs = [_anywhere_in(rng, a) for a in operands]
                got = _faithful(ufunc, inputs, arithmetic, rng)
                found = judge(got, result, truth)
                judged += found.judged
                assert (found.utilisation or 0.0) <= 1.0, (
                    f"{ufunc.__name__} {name}: {found.utilisation} at "
                    f"{[(a.v[found.index], a.e[found.index]) for a in operands]}, "
                    f"inputs {[x[found.index] for x in inputs]}, got {found.got!r}, "
                    f"oracle {found.oracle!r}, bound {found.bound!r}"
                )
    assert judged > 1000


@pytest.mark.parametrize("ufunc", COMPARISONS, ids=lambda f: f.__name__)
def test_a_comparison_is_open_wherever_an_interval_may_turn_it(ufunc: np.ufunc) -> None:
    """A decided outcome is the outcome of every pair of numbers in the two intervals."""
    arithmetic = PROFILES["bfloat16"]
    rng = np.random.default_rng(1)
    decided = 0
    for _ in range(20):
        a, b = (_operand(rng, 300, arithmetic) for _ in range(2))
        near = rng.random(300) < 0.3
        b = Bounded(np.where(near, a.v, b.v), b.e, arithmetic, arithmetic.format)
        found = ufunc(a, b)
        assert isinstance(found, Decision)
        for _ in range(6):
            turned = ufunc(_anywhere_in(rng, a), _anywhere_in(rng, b)) != found.yes
            assert not np.any(turned & ~found.open)
        decided += np.count_nonzero(~found.open)
    assert decided > 1000


def test_comparisons_of_nan_and_infinity_are_numpys() -> None:
    """nan compares as false and infinities by their sign; what is unknown stays open."""
    a = Bounded.exact(np.array([np.nan, np.inf, -np.inf, 1.0]), PROFILES["ieee_float32"])
    for ufunc in COMPARISONS:
        found = ufunc(a, 1.0)
        np.testing.assert_array_equal(found.yes, ufunc(a.v, 1.0))
        assert not np.any(found.open)
    unknown = Bounded(a.v, np.full(4, np.inf), a.arithmetic, a.format)
    assert np.all((unknown > 1.0).open[1:])
    for test in TESTS:
        np.testing.assert_array_equal(test(a).yes, test(a.v))
        assert not np.any(test(a).open)
        assert np.all(test(unknown).open)


def _exact(*values: float) -> Bounded:
    return Bounded.exact(np.array(values), PROFILES["bfloat16"])


EXACT: dict[str, Callable[[Bounded], Bounded]] = {
    "absolute": np.abs,
    "copy": np.copy,
    "difference with zero": lambda a: a - np.zeros(3),
    "division of zero": lambda a: np.zeros(3) / a,
    "doubling": lambda a: a * 2,
    "maximum": lambda a: np.maximum(a, 1.5),
    "minimum": lambda a: np.minimum(a, 1.5),
    "negation": lambda a: -a,
    "product with minus one": lambda a: -1 * a,
    "product with one": lambda a: 1 * a,
    "product with zero": lambda a: a * np.zeros(3),
    "sign": np.sign,
    "sum with zero": lambda a: a + 0.0,
    "transpose": lambda a: a.T,
    "zero on the left": lambda a: np.zeros(3) + a,
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_operations_add_no_error(name: str) -> None:
    """What no rounding touches has bound zero: one wrong bit is a fault there."""
    result = EXACT[name](_exact(1.5, -3.0, 0.0078125))
    np.testing.assert_array_equal(result.e, 0.0)


def test_inexact_operations_round() -> None:
    """A sum, a product and a quotient of nonzero numbers may each round once."""
    a = _exact(1.5, -3.0, 0.0078125)
    for result in (a + 1.0, a * 3.0, a / 3.0, a * a):
        assert np.all(result.e > 0)
        assert np.all(result.e <= 2 * a.format.u * (np.abs(result.v) + np.abs(a.v) + 1))


def test_integers_on_the_host_are_exact_up_to_the_precision() -> None:
    """t - 1 and t + 1 are exact counts; beyond the counter's precision they are not."""
    arithmetic = PROFILES["float32_hyper"]
    one = Bounded.hyper(1.0, arithmetic)
    small = Bounded.hyper(4095.0, arithmetic)
    large = Bounded.hyper(float(2**24), arithmetic)
    assert (small + one).e == 0
    assert (small - one).e == 0
    assert (large + one).e > 0
    assert Bounded.hyper(float(2**24 + 1), arithmetic).e > 0


def test_float32_hyperparameters_lose_their_complement() -> None:
    """1 - 0.999 in float32 errs by an ulp of 0.999, 1e-4 of the result; in double by nothing."""
    narrow = 1 - Bounded.hyper(0.999, PROFILES["float32_hyper"])
    u = 2.0**-24
    assert u / 2 < narrow.e < 4 * u
    kernel = (np.float32(1) - np.float32(0.999)).astype(float)
    assert abs(kernel - narrow.v) <= narrow.e
    wide = 1 - Bounded.hyper(0.999, PROFILES["ieee_float32"])
    assert wide.e / wide.v < 1e-12


def test_hyperparameters_round_once_where_they_meet_an_array() -> None:
    """A host constant meets a float32 array with half an ulp, unless it is representable."""
    g = Bounded.exact(np.ones(2), PROFILES["ieee_float32"])
    u = g.format.u
    assert np.all((g * 2).e == 0)
    # Scaling by a power of two cannot round; making smaller may underflow.
    assert np.all((g * 0.5).e <= g.format.eta)
    assert np.all((g / 4).e <= g.format.eta)
    tenth = (g * 0.1).e / 0.1
    assert np.all((u < tenth) & (tenth < 2.5 * u))


def test_a_constant_beyond_the_format_is_not_judged() -> None:
    """A count of 1e6 overflows float16: the kernel may divide by infinity."""
    g = Bounded.exact(np.ones(2), PROFILES["float16"])
    assert np.all(np.isinf((g / Bounded.hyper(1e6, g.arithmetic)).e))


def test_zero_times_a_possible_infinity_is_unknown() -> None:
    """0 x is 0 for a finite x; where the kernel's x may have overflowed it may be nan."""
    a = PROFILES["float16"]
    big = Bounded.exact(np.array([6e4]), a) * 3.0
    assert np.isinf(big.e)
    assert np.all(np.isinf((big * Bounded.exact(np.zeros(1), a)).e))


@pytest.mark.parametrize(
    "overflowing",
    [
        lambda a: a * a,
        lambda a: a + a,
        lambda a: a / 1e-30,
        lambda a: np.exp(a),
        lambda a: np.sum(np.concatenate([a, a])),
    ],
)
def test_what_may_overflow_is_not_judged(overflowing: Callable[[Bounded], Bounded]) -> None:
    """Beyond the format's largest number nothing is known of a kernel's result."""
    a = Bounded.exact(np.array([3e38]), PROFILES["ieee_float32"])
    assert np.all(np.isinf(overflowing(a).e))


def test_a_partial_product_that_may_overflow_is_not_judged() -> None:
    """1e30 1e30 1e-30 is 1e30, but a kernel that multiplies the first two first gives infinity."""
    a = Bounded.exact(np.array([1e30]), PROFILES["ieee_float32"])
    assert np.isinf(((a * 1e-30) * a * a).e)


def test_certain_nan_and_infinity_are_judged() -> None:
    """nan and infinity that no kernel can avoid are due exactly: e = 0."""
    a = Bounded.exact(np.array([np.nan, np.inf, 1.0, -np.inf]), PROFILES["ieee_float32"])
    one, zero = np.ones(4), np.zeros(4)
    for result in (a + one, a - one, a * 2.0, np.abs(a), -a, np.maximum(a, one)):
        np.testing.assert_array_equal(result.e[[0, 1]], 0.0)
        assert np.isnan(result.v[0])
        assert np.isinf(result.v[1])
    np.testing.assert_array_equal((zero / Bounded.exact(zero, a.arithmetic)).e, 0.0)
    np.testing.assert_array_equal((one / Bounded.exact(zero, a.arithmetic)).v, np.inf)
    root = np.sqrt(a)
    assert np.isnan(root.v[3])
    assert root.e[3] == 0


def test_division_by_a_possible_zero_is_not_judged() -> None:
    """Where the divisor's interval holds zero nothing is known; zero by a clear divisor is 0."""
    arithmetic = PROFILES["ieee_float32"]
    unsure = Bounded(np.array([1e-3, 1.0]), np.array([1e-2, 1e-7]), arithmetic, arithmetic.format)
    e = (np.ones(2) / unsure).e
    assert np.isinf(e[0])
    assert np.isfinite(e[1])
    assert (np.zeros(2) / unsure).e[1] == 0


def test_cancellation_keeps_the_error_of_what_cancelled() -> None:
    """(1 + x) - 1 is wrong by an ulp of 1, whatever is left; in another order the same holds."""
    arithmetic = PROFILES["ieee_float32"]
    x = Bounded.exact(np.array([1e-5]), arithmetic)
    left = (x + 1.0) - 1.0
    assert left.e >= arithmetic.format.u
    exactly_cancelled = (x + 1.0) - (x + 1.0)
    assert exactly_cancelled.e >= arithmetic.format.u


def test_a_sum_of_squares_cannot_turn_negative() -> None:
    """The root of a sum of squares is judged even where its error exceeds it."""
    arithmetic = PROFILES["ieee_float32"]
    g = Bounded.exact(np.array([1e-30]), arithmetic)
    root = np.sqrt(0.999 * (g * g) + 0.001 * (g * g))
    assert np.isfinite(root.e)
    free = Bounded(np.array([1e-3]), np.array([1e-2]), arithmetic, arithmetic.format)
    assert np.isinf(np.sqrt(free).e)


def test_underflow_is_charged_through_later_factors() -> None:
    """A product that underflows by eta and is then multiplied by 1e30 is wrong by 1e30 eta."""
    arithmetic = PROFILES["ieee_float32"]
    g = Bounded.exact(np.array([1e-25]), arithmetic)
    result = (g * g) * 1e30
    assert result.e >= 1e30 * arithmetic.format.eta


def test_flushed_subnormals_are_charged_on_input_and_output() -> None:
    """Declared as flushed, a subnormal may be read as zero and a result may become zero."""
    flushed = PROFILES["cuda_fast_math"]
    tiny = flushed.format.least_normal / 4
    a = Bounded.exact(np.array([tiny, 1.0]), flushed)
    np.testing.assert_array_equal(a.e, [tiny, 0.0])
    product = Bounded.exact(np.array([2.0**-100]), flushed) * np.array([2.0**-30])
    assert product.e >= flushed.format.least_normal
    kept = Bounded.exact(np.array([2.0**-100]), PROFILES["ieee_float32"]) * np.array([2.0**-30])
    assert kept.e < product.e


def test_storing_rounds_once_more() -> None:
    """A float32 result in bfloat16 may err by half an ulp of bfloat16, stochastically by one."""
    arithmetic = PROFILES["bfloat16_storage"]
    a = Bounded.exact(np.array([1.0, 1.001]), arithmetic) * np.array([1.0, 1.0])
    stored = a.stored("p")
    assert stored.format.name == "bfloat16"
    assert stored.e[0] <= stored.e[1]
    assert stored.e[1] >= 2.0**-8
    either = dataclasses.replace(arithmetic, rounding="stochastic")
    twice = (Bounded.exact(np.array([1.001]), either) * np.array([1.0])).stored("p")
    assert twice.e >= 2.0**-7


def test_a_computed_infinity_may_be_a_nan() -> None:
    """Limited to a finite number it is not judged; an infinity that is given is, and a square's."""
    given = Bounded.exact(np.array([np.inf, -np.inf]), PROFILES["ieee_float32"])
    for limited in (np.clip(given, -1.0, 1.0), np.sign(given)):
        assert np.array_equal(limited.v, [1.0, -1.0])
        assert not np.any(limited.e)
    computed = 0.9 * given + 0.1 * given
    for limited in (np.clip(computed, -1.0, 1.0), np.sign(computed)):
        assert np.all(np.isinf(limited.e))
    assert not np.any(np.minimum(given * given, 1.0).e)


@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_a_term_whose_coefficient_is_zero_may_be_absent(x: float) -> None:
    """Nothing is known of 0 x where x is not finite; a tensor's own zero times nan is nan."""
    arithmetic = PROFILES["bfloat16_params"]
    factor = Bounded.exact(np.array([x, 1.0]), arithmetic)
    for term in (Bounded.hyper(0.0, arithmetic) * factor, factor * Bounded.hyper(0.0, arithmetic)):
        assert term.e.tolist() == [np.inf, 0.0]
        assert term.stored("p").e.tolist() == [np.inf, 0.0]
    product = Bounded.exact(np.zeros(2), arithmetic) * factor
    assert np.isnan(product.v[0])
    assert product.e.tolist() == [0.0 if np.isnan(x) else np.inf, 0.0]


def test_what_leaves_the_range_for_certain_is_known_not_to_be_finite() -> None:
    """A quotient beyond the format is infinite however it is computed; one next to it may be."""
    a = Bounded.exact(np.array([2.0**120, -(2.0**120), 2.0**119, 1.0]), PROFILES["ieee_float32"])
    quotient = a / Bounded.hyper(2.0**-9, a.arithmetic)
    found = np.isfinite(quotient)
    np.testing.assert_array_equal(found.yes, [False, False, True, True])
    np.testing.assert_array_equal(found.open, [False, False, True, False])
    assert not np.isfinite(np.max(np.abs(quotient)))
    with pytest.raises(Undecided):
        bool(np.isfinite(np.max(np.abs(quotient[2:]))))


def test_a_quotient_below_the_line_may_come_above_it() -> None:
    """x / (y / 1000) may be x 1000 / y, which overflows where the quotient does not."""
    arithmetic = PROFILES["float16"]
    x, y = (Bounded.exact(np.array([size]), arithmetic) for size in (3000.0, 2000.0))
    assert np.isinf((x / (y / 1000)).e).all() and np.isinf((x / (y * 1e-3)).e).all()
    assert np.isfinite((x / (y / 2)).e).all()


ARITHMETIC = PROFILES["ieee_float32"]


def judged(kernel: list[float], expected: Bounded) -> list[bool]:
    """Whether each result of a kernel passes as an element of its own."""
    oracle = Bounded(expected.v, expected.e, ARITHMETIC, ARITHMETIC.format, hazy=expected.hazy)
    return [
        judge(np.array([x]), expected[i : i + 1], oracle[i : i + 1]).passed
        for i, x in enumerate(kernel)
    ]


def test_a_number_over_an_infinity_is_zero_or_nan() -> None:
    """Nothing else; of an infinity that no order makes a nan, and of a given one, it is zero."""
    x = Bounded.exact(np.array([3.0, 3.0, 3.0, 3.0]), ARITHMETIC)
    v = Bounded.exact(np.full(4, np.inf), ARITHMETIC)
    average = Bounded.hyper(0.9, ARITHMETIC) * v + Bounded.hyper(0.1, ARITHMETIC) * (x * x)
    for expected in (x / average, x / np.sqrt(average), -np.reshape(x / average, (4,))):
        assert judged([0.0, np.nan, 1e-30, 3.0], expected) == [True, True, False, False]
    for expected in (x / v, x / np.sqrt(np.sum(v * v))):
        assert judged([0.0, np.nan, 1e-30, 3.0], expected) == [True, False, False, False]


def test_what_is_computed_of_zero_or_nan_is_within_its_bound_or_nan() -> None:
    """A step of it leaves p or makes it nan; where a nan may be passed over nothing is known."""
    p = Bounded.exact(np.array([3.0, 3.0, 3.0]), ARITHMETIC)
    v = Bounded.exact(np.full(3, np.inf), ARITHMETIC)
    u = p / (Bounded.hyper(0.9, ARITHMETIC) * v + Bounded.hyper(0.1, ARITHMETIC) * (p * p))
    step = p - Bounded.hyper(0.5, ARITHMETIC) * u
    moved = float(np.nextafter(np.float32(3), np.float32(4)))
    assert judged([3.0, np.nan, 3.5], step) == [True, True, False]
    assert judged([3.0, np.nan, moved], step.stored("p")) == [True, True, False]
    chosen = np.where(np.array([True, True, False]), step, p)
    assert judged([np.nan, 3.5, np.nan], chosen) == [True, False, False]
    together = np.stack([step, p])
    assert judge(np.array([[np.nan] * 3, [3.0] * 3]), together, together).passed
    for lost in (np.maximum(u, 1.0), np.sign(u), np.sum(u)):
        assert np.all(np.isinf(lost.e)) and lost.hazy is None
    # lr u overflows where u's numerator has met lr before the infinity.
    large = Bounded.exact(np.full(3, 1e38), ARITHMETIC)
    assert not np.any(np.isfinite((large / u.lift(v * 0.9) * large).cleared.e))
