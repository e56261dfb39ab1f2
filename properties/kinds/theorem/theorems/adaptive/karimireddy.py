"""A convex function of two numbers whose subgradients have the signs of one diagonal alone."""

import numpy as np

from truestep.reference.validation import Array

# f(x) = EPS |x_1 + x_2 - SUM| + |x_1 - x_2|, least, 0, at x_1 = x_2 = SUM / 2.
EPS, SUM = 0.25, 1.0
# The largest norm of a subgradient: both terms are orthogonal.
G = float(np.sqrt(2 * EPS**2 + 2))


def value(x: Array) -> float:
    """f at x."""
    return float(EPS * abs(x[0] + x[1] - SUM) + abs(x[0] - x[1]))


def subgradient(x: Array) -> Array:
    """A subgradient; where x_1 = x_2, the one to the right."""
    along = EPS * (1.0 if x[0] + x[1] >= SUM else -1.0)
    across = 1.0 if x[0] >= x[1] else -1.0
    return np.array([along + across, along - across])
