"""Rules that draw, given what was drawn: exactly, in fractions and forty digits."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from mpmath import mpf, sqrt

from truestep.reference.optimizers import dpsgd, noisy_sgd

sys.path.insert(0, str(Path(__file__).parent))
from forty_digits import digits

RNG = np.random.default_rng(11)


def test_noise_is_added_with_a_deviation_that_falls() -> None:
    """Nine steps in forty digits."""
    h = noisy_sgd.Hyper(lr=0.1, eta=0.3, gamma=0.55)
    p = RNG.standard_normal(4)
    s, exact = noisy_sgd.init(h, p), [mpf(x) for x in p]
    for t in range(9):
        g, z = RNG.standard_normal((2, 4))
        s, p = noisy_sgd.step(h, s, p, g, noise=z)
        sigma = sqrt(mpf(0.3) / mpf(1 + t) ** mpf(0.55))
        exact = [
            x - mpf(0.1) * (mpf(a) + sigma * mpf(b)) for x, a, b in zip(exact, g, z, strict=True)
        ]
    assert digits(p) == digits(np.array([float(x) for x in exact]))


def test_a_batch_in_fractions() -> None:
    """Lengths 5, 13, 1/2 and 0 are shortened to 2 where they are above."""
    h = dpsgd.Hyper(lr=0.5, clip=2.0, noise_multiplier=0.25, momentum=0.5)
    p, z = np.array([1.0, -1.0]), np.array([1.0, -2.0])
    others = np.array([[5.0, 12.0], [0.3, 0.4], [0.0, 0.0]])
    b = np.array([4.0, 8.0])
    s, moved = dpsgd.step(
        h, dpsgd.State(t=3, b=b), p, np.array([3.0, -4.0]), noise=z, others=others
    )
    sums = [
        Fraction(3 * 2, 5) + Fraction(5 * 2, 13) + Fraction(3, 10) + Fraction(1, 2),
        Fraction(-4 * 2, 5) + Fraction(12 * 2, 13) + Fraction(4, 10) - 1,
    ]
    due = [Fraction(x) / 2 + total / 4 for x, total in zip((4, 8), sums, strict=True)]
    np.testing.assert_allclose(s.b, [float(x) for x in due], rtol=1e-15)
    np.testing.assert_allclose(moved, p - 0.5 * s.b, rtol=1e-15)


def test_nesterovs_step_looks_ahead() -> None:
    """By the new momentum once more, and the batch's own part."""
    g, z, others = np.array([0.5]), np.array([1.0]), np.zeros((1, 1))
    given = {"lr": 1.0, "momentum": 0.5, "noise_multiplier": 1.0, "clip": 1.0}
    plain, ahead = (dpsgd.Hyper(**given, nesterov=x) for x in (False, True))
    p = np.zeros(1)
    s = dpsgd.State(t=1, b=np.array([2.0]))
    _, a = dpsgd.step(plain, s, p, g, noise=z, others=others)
    _, b = dpsgd.step(ahead, s, p, g, noise=z, others=others)
    assert a == -1.75  # half of 2, and (1/2 + 1) / 2
    assert b == -(0.75 + 0.5 * 1.75)


@pytest.mark.parametrize(("choice", "due"), [("nan", [True, True]), ("unclipped", [True, False])])
def test_an_example_with_a_nan(choice: str, due: list[bool]) -> None:
    """Is nan as a whole, or counts elsewhere as long as it is."""
    h = dpsgd.Hyper(lr=1.0, noise_multiplier=0.0, unknown_length=choice)
    p = np.zeros(2)
    g = np.array([np.nan, 8.0])
    _, moved = dpsgd.step(h, dpsgd.init(h, p), p, g, noise=p, others=np.zeros((1, 2)))
    assert np.isnan(moved).tolist() == due
    assert choice == "nan" or moved[1] == -4
