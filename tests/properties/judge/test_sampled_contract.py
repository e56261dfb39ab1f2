"""The sampled contract decides where its two statistics say, found here by SciPy's functions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.judge.contracts import LINEAR, Judgement, judge_sampled
from truestep.properties.judge.results import SLACK
from truestep.reference.validation import Array

INF, NAN = np.inf, np.nan
COUNT, SIZE = 32, 40


def _rows(value: Array, spread: Array | float, seed: int = 0, count: int = COUNT) -> Array:
    """The value, and replicates that stray independently by so much."""
    noise = np.random.default_rng(seed).standard_normal((count, *np.shape(value)))
    return np.concatenate([[value], value + noise * spread])


def _oracle(value: Array) -> Array:
    return np.repeat(np.asarray(value)[None], 9, axis=0)


def _judged(got: Array, rows: Array) -> Judgement:
    return judge_sampled(got, rows, _oracle(rows[0]))


def _share(found: Judgement) -> float:
    """Of what the stated probability allows: a result passes up to SLACK of it."""
    assert found.utilisation is not None
    assert found.passed == (found.utilisation <= SLACK)
    return found.utilisation


def _spread(rows: Array) -> Array:
    return np.sqrt(np.mean((rows[1:] - rows[0]) ** 2, axis=0))


def _freedom(rows: Array) -> float:
    """(tr C)^2 / |C|_F^2 of the covariance of independent rows, without bias."""
    strayed = rows[1:] - rows[0]
    gram = strayed @ strayed.T
    apart = gram[~np.eye(len(gram), dtype=bool)]
    return float(np.mean(np.diagonal(gram)) ** 2 / np.mean(apart**2))


def _factor(rows: Array) -> float:
    """By which the norm may exceed the replicates': b + c F with the first three moments.

    Of sums of squares times eigenvalues, whose kth powers' sum, where they add up to one, is the
    mean over k different replicates of what products in a ring make.
    """
    strayed = rows[1:] - rows[0]
    gram = strayed @ strayed.T / np.mean(np.sum(strayed**2, axis=1))
    square, cube = (
        float(np.mean([np.prod([gram[i, j] for i, j in zip(x, x[1:] + x[:1], strict=True)]) for x in
        permutations(range(len(gram)), k)])) for k in (2, 3)
    )  # fmt: skip
    cube = max(cube, square**2)
    freedom, share = square**3 / cube**2, square**2 / cube
    f = stats.f.isf(FALSE_ALARM, freedom, COUNT * freedom)
    return float(np.sqrt(1 - share + share * f))


VALUE = np.linspace(1.0, 2.0, SIZE)


def test_the_stated_probability_is_one_in_a_billion() -> None:
    """Of a tensor by chance alone: several hundred certificates fail once in a thousand."""
    assert FALSE_ALARM == 1e-9


def test_one_element_is_held_to_student_s_t_over_all_elements() -> None:
    """Its bound is the quantile of t with the replicates' degrees of freedom times their spread."""
    rows = _rows(VALUE, 1e-6)
    factor = stats.t.isf(FALSE_ALARM / (2 * SIZE), COUNT)
    for share in (0.999, 1.001, 3.0):
        got = VALUE.copy()
        got[7] += share * factor * _spread(rows)[7]
        found = _judged(got, rows)
        assert found.index == (7,)
        np.testing.assert_array_max_ulp(_share(found), share, 2**24)
        np.testing.assert_array_max_ulp(found.bound, factor * _spread(rows)[7], 2**24)


def test_a_tensor_is_held_to_fisher_s_f_of_its_norm() -> None:
    """Errors of all elements, none of them large, by the replicates' independent errors."""
    rows = _rows(VALUE, 1e-6)
    spread = _spread(rows)
    freedom = _freedom(rows)
    assert 10 < freedom < SIZE
    factor = _factor(rows)
    assert factor < stats.t.isf(FALSE_ALARM / (2 * SIZE), COUNT) / 2
    for share in (0.999, 1.001, 2.5):
        found = _judged(VALUE + share * factor * spread, rows)
        np.testing.assert_array_max_ulp(_share(found), share, 2**30)
        assert found.judged == SIZE


def test_equal_values_are_one_error() -> None:
    """A kernel rounds them alike: of two different values there are two degrees of freedom."""
    value = np.where(np.arange(SIZE) % 2, 1.0, -2.0)
    rows = _rows(value, 1e-6)
    factor = np.sqrt(stats.f.isf(FALSE_ALARM, 2, 2 * COUNT))
    found = _judged(value + factor * _spread(rows), rows)
    np.testing.assert_array_max_ulp(_share(found), 1.0, 2**30)


def test_errors_that_go_together_are_one() -> None:
    """Replicates that all stray along one line have one degree of freedom."""
    noise = np.random.default_rng(1).standard_normal(COUNT)
    line = np.linspace(1, 3, SIZE) * 1e-6
    rows = np.concatenate([[VALUE], VALUE + np.multiply.outer(noise, line)])
    freedom = _freedom(rows)
    assert 1 <= freedom < 1.5
    factor = np.sqrt(stats.f.isf(FALSE_ALARM, freedom, COUNT * freedom))
    found = _judged(VALUE + factor * _spread(rows), rows)
    np.testing.assert_array_max_ulp(_share(found), 1.0, 2**30)


def test_replicates_do_not_fail_one_another() -> None:
    """A kernel that errs as they do: of 200, each with every other's scale, none is near 1."""
    rows = _rows(VALUE, 1e-6, count=COUNT + 200)
    found = [_share(_judged(got, rows[: COUNT + 1])) for got in rows[COUNT + 1 :]]
    assert max(found) < 0.95
    assert min(found) > 0.05


def test_the_reference_s_own_error_is_added() -> None:
    """In squares; its share of the whole is told."""
    rows, oracle = _rows(VALUE, 3e-6), _rows(VALUE, 4e-6, seed=5)
    kernels, own = _spread(rows), _spread(oracle)
    found = judge_sampled(VALUE, rows, oracle)
    share = np.max(own / np.hypot(kernels, own))
    np.testing.assert_array_max_ulp(found.oracle_fraction, share, 2**24)
    assert _judged(VALUE, rows).oracle_fraction == 0.0
    got = VALUE.copy()
    got[3] += np.hypot(kernels, own)[3] * stats.t.isf(FALSE_ALARM / (2 * SIZE), COUNT)
    np.testing.assert_array_max_ulp(_share(judge_sampled(got, rows, oracle)), 1.0, 2**24)


def test_what_strays_by_as_much_as_the_tensor_s_scale_is_not_judged() -> None:
    """Errors are no longer linear in the roundings beyond LINEAR of the largest finite value."""
    value = np.array([4.0, 1.0, INF])
    for side, judged in ((0.98, 3), (1.02, 2)):
        spread = np.array([0.0, 1.0, 0.0])
        rows = _rows(np.where(np.isinf(value), 0, value), spread)
        rows[:, 1] = 1.0 + (rows[:, 1] - 1.0) * side * LINEAR * 4.0 / (
            stats.t.isf(FALSE_ALARM / 2, COUNT) * _spread(rows)[1]
        )
        rows[:, 2] = INF
        assert _judged(value, rows).judged == judged
    assert LINEAR == 0.25


def test_what_all_replicates_agree_on_is_due_exactly() -> None:
    """Numbers, infinities and nans; the last bit counts."""
    value = np.array([1.0, INF, NAN, 3.0])
    rows = np.repeat(value[None], COUNT + 1, axis=0)
    rows[1:, 3] += 1e-6 * np.random.default_rng(2).standard_normal(COUNT)
    exact = _judged(value, rows)
    assert (exact.utilisation, exact.judged) == (0.0, 4)
    for i, other in ((0, np.nextafter(1.0, 2)), (1, 1e300), (1, -INF), (2, 0.0)):
        got = value.copy()
        got[i] = other
        found = _judged(got, rows)
        assert (found.utilisation, found.index, found.bound) == (INF, (i,), 0.0)


@pytest.mark.parametrize("which", [0, 5])
def test_what_they_do_not_agree_is_finite_is_not_judged(which: int) -> None:
    """One row suffices, the value itself or a replicate; the others are judged all the same."""
    rows = _rows(VALUE, 1e-6)
    rows[which, 4] = NAN if which else INF
    for x in (VALUE[4], INF, NAN):
        got = VALUE.copy()
        got[4] = x
        assert _judged(got, rows).judged == SIZE - 1
    got = VALUE.copy()
    got[5] += 1.0
    assert _judged(got, rows).index == (5,)


def test_a_result_that_is_not_finite_leaves_the_others_judged() -> None:
    """It is the worst, and the others' norm is taken without it."""
    rows = _rows(VALUE, 1e-6)
    for x in (INF, NAN):
        got = VALUE.copy()
        got[0] = x
        found = _judged(got, rows)
        assert (found.utilisation, found.index, found.judged) == (INF, (0,), SIZE)


def test_the_whole_tensor_s_verdict_names_its_worst_element() -> None:
    """Where the norm decides, all bounds shrink alike: the worst element stays the worst."""
    rows = _rows(VALUE, 1e-6)
    got = VALUE + 2.0 * _spread(rows)
    got[9] += 1.0 * _spread(rows)[9]
    found = _judged(got, rows)
    assert found.index == (9,)
    assert found.got - found.oracle == got[9] - VALUE[9]
    assert found.utilisation == (found.got - found.oracle) / found.bound


def test_shapes_must_agree() -> None:
    """A result of another shape is never broadcast."""
    with pytest.raises(ValueError, match=r"got shape \(1,\), expected \(40,\)"):
        _judged(VALUE[:1], _rows(VALUE, 1e-6))


def test_no_replicate_strays_where_all_is_exact() -> None:
    """Zeros too: there is no scale, and nothing to be divided by."""
    rows = np.zeros((COUNT + 1, 3))
    assert _judged(np.zeros(3), rows).utilisation == 0.0
    assert _judged(np.array([0.0, 1e-300, 0.0]), rows).utilisation == INF


def test_what_is_exact_is_none_of_the_elements_that_err() -> None:
    """Student's t is over those that stray; exact ones have no share in the reference's error."""
    value = np.repeat(VALUE, 5)
    rows = _rows(value, np.where(np.arange(5 * SIZE) < SIZE, 1e-6, 0.0))
    got = value.copy()
    got[4] += _spread(rows)[4] * stats.t.isf(FALSE_ALARM / (2 * SIZE), COUNT)
    found = _judged(got, rows)
    np.testing.assert_array_max_ulp(_share(found), 1.0, 2**24)
    assert (found.judged, found.oracle_fraction) == (5 * SIZE, 0.0)


def test_the_norm_is_of_the_elements_that_err() -> None:
    """An exact one, and one that came out infinite, are none of them."""
    value = np.append(VALUE, [5.0])
    rows = _rows(value, np.append(np.full(SIZE, 1e-6), 0.0))
    found = _judged(value + _factor(rows) * _spread(rows), rows)
    np.testing.assert_array_max_ulp(_share(found), 1.0, 2**30)


def test_an_error_that_all_elements_share_may_be_as_large_as_chance_makes_it() -> None:
    """As that of a scalar that multiplies a matrix, beside errors of the elements' own.

    A third of the variance is common, and six of its standard deviations are met twice in a
    billion. So are six times the common error and none else in most of the replicates' draws.
    """
    rng = np.random.default_rng(4)
    value = np.linspace(1.0, 2.0, 400)
    found = []
    for _ in range(40):
        common, own = rng.standard_normal((COUNT, 1)), rng.standard_normal((COUNT, 400))
        rows = np.concatenate(
            [[value], value + 1e-6 * (common / np.sqrt(3) + own * np.sqrt(2 / 3))]
        )
        noise = np.sqrt(2 / 3) * rng.standard_normal(400)
        found.append(_share(_judged(value + 1e-6 * (6 / np.sqrt(3) + noise), rows)))
    assert 0.6 < np.median(found) < 1.0 and max(found) < SLACK
    # What would have to be met more rarely by far is found.
    assert _share(_judged(value + 1e-6 * (16 / np.sqrt(3) + noise), rows)) > SLACK


def test_two_elements_have_between_one_and_two_degrees_of_freedom() -> None:
    """By how much each strays, wherever their common scale is: also where squares vanish."""
    for scale in (1.0, 1e-200):
        value = np.array([1.0, 2.0]) * scale
        rows = _rows(value, scale * np.array([1e-6, 3e-7]))
        freedom = _freedom(rows / scale)
        assert 1.05 < freedom < 1.5
        factor = _factor(rows / scale)
        found = _judged(value + factor * _spread(rows / scale) * scale, rows)
        np.testing.assert_array_max_ulp(_share(found), 1.0, 2**30)


def test_where_the_replicates_agree_the_reference_s_own_error_is_allowed() -> None:
    """One error, of which nothing is known but its size."""
    rows, oracle = np.repeat(VALUE[None], COUNT + 1, axis=0), _rows(VALUE, 1e-9)
    got = VALUE.copy()
    got[2] += _spread(oracle)[2] * stats.t.isf(FALSE_ALARM / (2 * SIZE), COUNT)
    found = judge_sampled(got, rows, oracle)
    np.testing.assert_array_max_ulp(_share(found), 1.0, 2**30)
    assert found.oracle_fraction == 1.0
    factor = np.sqrt(stats.f.isf(FALSE_ALARM, 1, COUNT))
    whole = judge_sampled(VALUE + factor * _spread(oracle), rows, oracle)
    np.testing.assert_array_max_ulp(_share(whole), 1.0, 2**30)


def test_a_nan_of_the_value_or_of_all_replicates_is_not_judged() -> None:
    """They do not agree on it."""
    for changed in (slice(0, 1), slice(1, None)):
        rows = _rows(VALUE, 1e-6)
        rows[changed, 4] = NAN
        got = VALUE.copy()
        got[4] = 7.0
        assert _judged(got, rows).judged == SIZE - 1


def test_what_is_not_judged_has_no_share_in_the_reference_s_error() -> None:
    """However large that is there; the scale is the tensor's own, however small."""
    value = np.array([1e-3, 2e-3, 3e-3])
    rows, oracle = _rows(value, 1e-9), _oracle(value)
    oracle[1:, 1] += 1e-3 * np.random.default_rng(3).standard_normal(8)
    found = judge_sampled(value, rows, oracle)
    assert (found.judged, found.oracle_fraction) == (2, 0.0)
