"""Percentile clipping: a hundred norms by hand, and the rule in fifty digits."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from truestep.properties.arithmetic.exact import DIGITS, Exact
from truestep.reference.training import percentile_clipping
from truestep.reference.training.percentile_clipping import SLOTS, Hyper


def calls(norms: Any, percentile: int) -> list[dict[str, Any]]:
    """The outputs of the calls on gradients (3, 4) n / 5 of these norms n."""
    squares, found = np.zeros(SLOTS), []
    for t, norm in enumerate(norms):
        gradient = np.array([0.6, 0.8]) * norm
        out = percentile_clipping.run(
            Hyper(percentile=percentile), gradient=gradient, gnorm_vec=squares, t=t
        )
        assert out["t"] == t + 1
        squares = out["gnorm_vec"]
        found.append(out)
    return found


def test_the_first_norm_fills_the_vector_and_clips_nothing() -> None:
    """All hundred are 25, and 25 again after a larger one, which is cut to 5."""
    first, second = calls((5.0, 50.0), percentile=5)
    np.testing.assert_allclose(first["gnorm_vec"], 25.0, rtol=1e-15)
    np.testing.assert_array_equal(first["clipped"], [3.0, 4.0])
    np.testing.assert_allclose(second["clipped"], [3.0, 4.0], rtol=1e-15)
    assert list(np.flatnonzero(second["gnorm_vec"] > 26)) == [2]


@pytest.mark.parametrize("percentile", [0, 5, 50, 98, 99, 100, 1000])
def test_after_two_hundred_calls_the_vector_holds_the_last_hundred(percentile: int) -> None:
    """Norms 1 to 200: the percentile of 101 to 200 is 101 + p, and the last one is 200."""
    out = calls(range(1, 201), percentile)[-1]
    held = np.sqrt(out["gnorm_vec"])
    # Call 200 has slot 0, call 101 slot 1.
    np.testing.assert_allclose(held, [200, *range(101, 200)], rtol=1e-15)
    limit = 101 + min(percentile, 99)
    np.testing.assert_allclose(out["clip_value"], limit, rtol=1e-15)
    np.testing.assert_allclose(out["clipped"], np.array([0.6, 0.8]) * limit, rtol=1e-15)


def test_shorter_gradients_are_kept() -> None:
    """Norm 1 beside ninety-nine of 2: every percentile from the first on is 2."""
    out = calls((2.0, 1.0), percentile=5)[-1]
    np.testing.assert_array_equal(out["clipped"], np.array([0.6, 0.8]))
    assert calls((2.0, 1.0), percentile=0)[-1]["clip_value"] == pytest.approx(1.0)


def test_zero_nan_and_infinity() -> None:
    """Zero stays; a nan passes unclipped; of an infinity's tensor the others become 0."""
    squares, h = np.full(SLOTS, 4.0), Hyper()

    def clipped(*elements: float) -> Any:
        x = np.array(elements)
        with np.errstate(invalid="ignore"):
            return percentile_clipping.run(h, gradient=x, gnorm_vec=squares, t=7)["clipped"]

    np.testing.assert_array_equal(clipped(0.0, -0.0), [0.0, 0.0])
    np.testing.assert_array_equal(clipped(np.nan, 9.0), [np.nan, 9.0])
    np.testing.assert_array_equal(clipped(np.inf, 9.0), [np.nan, 0.0])
    first = percentile_clipping.run(h, gradient=np.zeros(3), gnorm_vec=np.zeros(SLOTS), t=0)
    np.testing.assert_array_equal(first["clipped"], np.zeros(3))


@pytest.mark.parametrize("t", [0, 41])
def test_the_rule_in_fifty_digits(t: int) -> None:
    """Element by element as it is written, on random numbers."""
    rng = np.random.default_rng(t)
    g, squares = rng.standard_normal(5), rng.uniform(0, 6, SLOTS)
    with mpmath.workdps(DIGITS):
        out = percentile_clipping.run(
            Hyper(percentile=30), gradient=Exact.of(g), gnorm_vec=Exact.of(squares), t=t
        )
        norm = mpmath.sqrt(mpmath.fsum(mpmath.mpf(x) ** 2 for x in g))
        held = [norm**2 if t == 0 or k == t + 1 else mpmath.mpf(x) for k, x in enumerate(squares)]
        limit = mpmath.sqrt(sorted(held)[30])
        assert t == 0 or limit < norm
        due = [mpmath.mpf(x) * min(1, limit / norm) for x in g]
        got = out["clipped"].x.tolist()
        assert all(mpmath.almosteq(a, b, 1e-50) for a, b in zip(got, due, strict=True))
