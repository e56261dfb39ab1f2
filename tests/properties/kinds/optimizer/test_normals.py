"""The tests of normal draws: what they are exact about, and what fails them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import chi2, kstwo, norm

from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.judge.contracts import Judgement
from truestep.properties.kinds.optimizer import normals
from truestep.properties.kinds.optimizer.normals import Drawn

SHAPE = (8, 2, 64)


def _drawn(x: np.ndarray) -> Drawn:
    return Drawn(x, np.zeros_like(x))


def _failing(x: np.ndarray) -> set[int]:
    """The ways in which draws are found to be others than normal and independent."""
    return {way for way, found in normals._tests(_drawn(x)) if not found.passed}


def _rate(test: Callable[[Drawn, float], Judgement], level: float, count: int) -> int:
    """How often a test at that level fails normal draws."""
    rng = np.random.default_rng(5)
    return sum(not test(_drawn(rng.standard_normal(SHAPE)), level).passed for _ in range(count))


@pytest.mark.parametrize("test", [normals._sum, normals._squares])
def test_exact_tests_fail_normal_draws_as_often_as_they_say(
    test: Callable[[Drawn, float], Judgement],
) -> None:
    """At one in five, of 2000 between 300 and 500: eleven standard deviations apart."""
    assert 300 < _rate(test, 0.2, 2000) < 500


def test_a_correlation_fails_as_often_as_it_says() -> None:
    """Given the second, the first's products sum to a normal number."""
    assert 300 < _rate(lambda x, a: normals._correlation(x.of(0), x.of(1), a), 0.2, 2000) < 500


def test_the_distributions_bound_is_never_exceeded_too_often() -> None:
    """Massart's constant is near what Kolmogorov's exact distribution says, and above it."""
    count, level = int(np.prod(SHAPE)), 0.2
    bound = np.sqrt(np.log(2 / level) / (2 * count))
    assert kstwo.sf(bound, count) < level
    assert _rate(normals._distribution, level, 2000) < 0.2 * 2000 * 1.2


def test_limits_are_those_of_the_distributions() -> None:
    """Of the sum and of the sum of squares, by SciPy's own."""
    level, count = 1e-6, int(np.prod(SHAPE))
    assert normals._quantile(level) == pytest.approx(norm.isf(level / 2))
    found = normals._squares(_drawn(np.ones(SHAPE)), level)
    least, most = chi2.ppf(level / 2, count), chi2.isf(level / 2, count)
    assert found.oracle == pytest.approx((least + most) / 2)
    assert 2 * found.bound == pytest.approx((most - least) / 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_products_at_a_distance_exceed_their_bound_less_often_than_it_says(axis: int) -> None:
    """For all distances together."""
    assert _rate(lambda x, a: normals._at_distances(x.along(axis), a), 0.2, 500) < 100


@pytest.mark.parametrize("apart", [3, 100, 511])
def test_draws_that_repeat_at_any_distance_are_found(apart: int) -> None:
    """Blocks of a thousand as well as those of powers of two."""
    x = np.random.default_rng(apart).standard_normal((32, 2, 1024))
    again = np.arange(1024) // apart % 2 == 1
    x[..., again] = np.roll(x, apart, axis=-1)[..., again]
    assert _failing(x) == {5}


def test_normal_draws_pass() -> None:
    """At the check's own level, fifty times."""
    rng = np.random.default_rng(6)
    assert all(not _failing(rng.standard_normal((32, 2, 256))) for _ in range(50))
    assert FALSE_ALARM < 1e-8


@pytest.mark.parametrize(
    ("way", "wrong"),
    [
        (0, lambda x: x + 0.1),
        (1, lambda x: 1.1 * x),
        (2, lambda x: np.sign(x)),
        (3, lambda x: np.repeat(x[:, :1], 2, axis=1)),
        (4, lambda x: np.repeat(x[:4], 8, axis=0)),
        (5, lambda x: np.repeat(x[..., ::4], 4, axis=-1)),
        (0, lambda x: np.where(x > 3, np.nan, x)),
    ],
)
def test_each_way_is_found(way: int, wrong: Callable[[np.ndarray], np.ndarray]) -> None:
    """Draws that are off in one way fail the test of it."""
    assert way in _failing(wrong(np.random.default_rng(7).standard_normal((32, 2, 1024))))


def test_what_is_not_known_is_not_held_against_a_kernel() -> None:
    """Each limit grows by what the bounds on the draws allow."""
    x = 1.05 * np.random.default_rng(8).standard_normal((32, 2, 1024)) + 0.05
    exact, known = Drawn(x, np.zeros_like(x)), Drawn(x, np.full_like(x, 0.2))
    for test in (normals._sum, normals._squares, normals._distribution):
        assert not test(exact, 1e-9).passed
        assert test(known, 1e-9).passed
