"""Closed forms of momentum's recursions, against the recursions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from truestep.properties.kinds.theorem.theorems.momentum.modes import mode, response
from truestep.properties.kinds.theorem.theorems.stochastic.momentum_moments import floor

U = 2.0**-53


# A pair of complex roots, a double root of either sign, two real roots.
RECURSIONS = [(1.2, 0.81), (1.8, 0.81), (-1.8, 0.81), (1.9, 0.81)]


@pytest.mark.parametrize(("trace", "determinant"), RECURSIONS)
def test_closed_forms_solve_the_recursion(trace: float, determinant: float) -> None:
    """From rest, and of one error, over forty steps."""
    for form, before in ((mode, 1.0), (response, 0.0)):
        x, last = [1.0], before
        for _ in range(40):
            x.append(trace * x[-1] - determinant * last)
            last = x[-2]
        # A root's rounding counts t times, and twice its own root near a double one.
        assert np.abs(form(trace, determinant, 40) - x).max() <= 40**2 * 64 * U * max(map(abs, x))


@pytest.mark.parametrize(("lr", "beta"), [(0.1, 0.9), (0.5, 0.5), (1.9, 0.0)])
def test_the_floor_solves_lyapunovs_equation(lr: float, beta: float) -> None:
    """The variance at rest of x_{t+1} = (1 + b - a) x_t - b x_{t-1} - a e_t."""
    A = np.array([[1 + beta - lr, -beta], [1.0, 0.0]])
    C = scipy.linalg.solve_discrete_lyapunov(A, np.diag([lr**2, 0.0]))
    assert abs(C[0, 0] / floor(lr, beta) - 1) <= 1000 * U
