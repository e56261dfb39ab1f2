"""Where elements err, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.properties.told.pattern import Elements, words

N = 12
G = np.array([0.5, -2.0, 1.5, -0.25, 3.0, -1.0, 0.0, 2.5, -0.75, 2.0, -3.0, 1.0])
T = np.arange(1.0, N + 1)
FINE = np.full(N, 0.5)


def _errs(where: Any) -> Any:
    return np.where(where, 100.0, 0.5)


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (FINE, "t, p agree"),
        (_errs(G < 0), "t agrees; p errs, only where g < 0"),
        (_errs(G == 0), "t agrees; p errs, only where g = 0"),
        (_errs(G != 0), "t agrees; p errs, only where g is not 0"),
        (_errs(T == 3), "t agrees; p errs, only at t = 3"),
        (_errs(T <= 3), "t agrees; p errs, only up to t = 3"),
        (_errs(T >= 9), "t agrees; p errs, only from t = 9 on"),
        (_errs(np.abs(G) <= 1), "t agrees; p errs, only where |g| <= 1"),
        (1e6 / T, "t agrees; p errs in every element, most at small t"),
        (1e6 * T, "t agrees; p errs in every element, most at large t"),
        (_errs(np.arange(N) % 5 == 2), "t agrees; p errs in 2 of 12 elements"),
        (np.where(T < 7, np.nan, 100.0), "t agrees; p errs in every element"),
        (np.full(N, np.nan), "t agrees"),
    ],
)
def test_what_tells_the_elements_that_err(ratio: Any, told: str) -> None:
    """The plainest condition that holds of them alone, else how many and where most."""
    assert words(Elements({"g": G, "t": T}, {"p": ratio}), ("t",)) == told


def test_tensors_that_err_alike_are_told_together() -> None:
    """m and p err where g does; v agrees."""
    ratios = {"p": _errs(G < 0), "m": _errs(G < 0), "v": FINE}
    assert words(Elements({"g": G, "t": T}, ratios)) == "v agrees; p, m err, only where g < 0"
    assert words(Elements({"t": T}, {"lr": 1e3 * FINE}), unit="step") == "lr errs in every step"
