"""What the sampled contract stands on: the probability, the spread, and roundings at random."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.arithmetic.sampled.replicates import (
    FALSE_ALARM,
    Replicates,
    quantile,
    root_mean_square,
)

INF, NAN = np.inf, np.nan
COUNT = 400
FLUSHED = dataclasses.replace(PROFILES["ieee_float32"], subnormals="flushed")


def _replicates(name: str = "ieee_float32", seed: int = 0) -> Replicates:
    return Replicates(PROFILES[name], COUNT, np.random.default_rng(seed))


@pytest.mark.parametrize(("count", "elements"), [(8, 1), (32, 1), (32, 1000)])
def test_the_quantile_is_student_s(count: int, elements: int) -> None:
    """Two-sided, divided among the elements."""
    due = stats.t.isf(FALSE_ALARM / (2 * elements), count)
    np.testing.assert_array_max_ulp(quantile(count, elements), due, 2**20)
    assert quantile(32) == quantile(32, 1)
    assert FALSE_ALARM == 1e-9


def test_root_mean_square_of_columns() -> None:
    """Also of numbers whose squares vanish or overflow, and of zeros."""
    rows = np.array([[3.0, 3e-300, 3e300, 0.0], [-4.0, -4e-300, 4e300, 0.0]])
    due = np.sqrt(12.5) * np.array([1.0, 1e-300, 1e300, 0.0])
    np.testing.assert_array_max_ulp(root_mean_square(rows), due, 4)


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("ulps", [0.5, 1.0, 2.0])
def test_a_rounding_errs_by_what_it_may(name: str, ulps: float) -> None:
    """Uniformly up to half an ulp, besides what an inexact operation errs; the value not at all."""
    format = FORMATS[name]
    x = np.full((COUNT + 1, 50), 1.1)
    found = _replicates().rounded(x, format, ulps)
    assert np.all(found[0] == 1.1)
    errors = (found[1:] - 1.1) / (2 * format.u)
    assert 0.98 * ulps < np.max(errors) <= ulps
    assert -ulps <= np.min(errors) < -0.98 * ulps
    variance = (1 + (2 * ulps - 1) ** 2) / 12
    # The fourth moments are below a fifth of the squared range: six deviations of the mean square.
    room = 6 * ulps**2 / np.sqrt(errors.size)
    assert abs(np.mean(errors**2) - variance) < room
    assert abs(np.mean(errors)) < 6 * ulps / np.sqrt(errors.size)


def test_what_is_exact_stays() -> None:
    """A number of the format on which all rows agree; not where the mask says it is none."""
    # The last is a number of float32 alone.
    x = np.repeat([[1.0, 1.5, 1.1, 2.0, 1 + 2.0**-10]], COUNT + 1, axis=0)
    x[5, 3] = 2.5
    world, format = _replicates(), FORMATS["bfloat16"]
    found = world.rounded(x, format)
    assert np.all(found[:, :2] == x[:, :2])
    assert np.all(found[1:, [2, 4]] != x[1:, [2, 4]])
    assert np.count_nonzero(found[1:, 3] != x[1:, 3]) > COUNT - 10
    masked = world.rounded(x, format, exact=np.array([True, False, True, True, True]))
    assert np.all(masked[:, 0] == 1.0)
    assert np.count_nonzero(masked[1:, 1] != 1.5) > COUNT - 10


def test_roundings_of_float64_are_whole_units() -> None:
    """Float64 shows none between: up, down, or not at all, a fifth of the time each way."""
    x = np.full((COUNT + 1, 50), 1.0 / 3)
    found = _replicates().rounded(x, FORMATS["float64"])
    units = (found[1:] - x[1:]) / np.spacing(1.0 / 3)
    values, counts = np.unique(units, return_counts=True)
    assert values.tolist() == [-1.0, 0.0, 1.0]
    assert np.all(np.abs(counts / units.size - [0.1, 0.8, 0.1]) < 6 / np.sqrt(4 * units.size))


def test_the_smallest_numbers_err_by_the_least_spacing() -> None:
    """Below the normal numbers the spacing stays; where subnormals are flushed they are zero."""
    format = FORMATS["float32"]
    x = np.full((COUNT + 1, 50), 1.3 * 2.0**-140)
    errors = _replicates().rounded(x, format)[1:] - x[1:]
    assert 0.98 * format.eta < np.max(np.abs(errors)) <= format.eta
    flushed = Replicates(FLUSHED, COUNT, np.random.default_rng(0)).rounded(x, format)
    assert np.all(flushed[0] == x[0]) and np.all(flushed[1:] == 0)
    least = np.full((COUNT + 1, 1), format.least_normal)
    assert np.all(Replicates(FLUSHED, COUNT, np.random.default_rng(0)).flushed(least, format) > 0)


def test_beyond_the_largest_number_is_infinity() -> None:
    """With its sign; what was not finite stays as it was."""
    format = FORMATS["float16"]
    x = np.repeat([[70000.1, -70000.1, INF, -INF, NAN, format.largest * 0.999]], COUNT + 1, axis=0)
    found = _replicates().rounded(x, format)[1:]
    assert np.all(found[:, 0] == INF) and np.all(found[:, 1] == -INF)
    assert np.all(found[:, 2] == INF) and np.all(found[:, 3] == -INF)
    assert np.all(np.isnan(found[:, 4])) and np.all(np.isfinite(found[:, 5]))


def test_an_overflow_is_noted_where_its_operands_were_finite() -> None:
    """Once for each operation; of an infinity that was given nothing is noted."""
    world = _replicates()
    x = np.array([1.0, INF])
    world.watch("given", x, lambda: np.array([True, False]))
    world.watch("finite", x[:1], lambda: np.array([True]))
    world.watch("whole", np.array([1, 2]), lambda: np.array([True, True]))
    assert world.overflows == []
    world.watch("made", x, lambda: np.array([False, True]))
    assert world.overflows == ["made"]


def test_normal_numbers_are_the_replicates_alone() -> None:
    """The value has none; the others are of mean zero and variance one."""
    found = _replicates().normal((3, 20))
    assert found.shape == (COUNT + 1, 3, 20)
    assert np.all(found[0] == 0)
    assert abs(np.mean(found[1:])) < 6 / np.sqrt(found[1:].size)
    assert abs(np.var(found[1:]) - 1) < 6 * np.sqrt(2 / found[1:].size)
