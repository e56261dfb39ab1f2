"""huber: a parabola with straight arms, on which gradient descent attains its worst case.

Rule
    f(x) = L x^2 / 2                          for |x| <= r
    f(x) = L r |x| - L r^2 / 2                beyond

Constants
    minimum 0 at x* = 0; mu = 0; G = L r. With r = D / (2 k + 1) gradient descent of step 1 / L from
    x_0 = D has f(x_k) = L D^2 / (4 k + 2), the worst value over all convex functions with an
    L-Lipschitz gradient.

Sources
    Y. Drori, M. Teboulle, "Performance of First-Order Methods for Smooth Convex Minimization",
    Math. Program. 145, 2014 (arXiv:1206.3209), theorem 3.2 and the example after it.
"""

from dataclasses import dataclass

import numpy as np

from truestep.reference.declared import Real
from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Problem:
    """The curvature L within r of the origin."""

    L: float
    r: float

    def __post_init__(self) -> None:
        for field in ("L", "r"):
            Real(0.0, open="low").check(field, getattr(self, field))


def value(q: Problem, x: Array) -> Array:
    """f at each element of x."""
    return np.where(np.abs(x) <= q.r, q.L * x * x / 2, q.L * q.r * (np.abs(x) - q.r / 2))


def gradient(q: Problem, x: Array) -> Array:
    """The derivative at each element of x."""
    return q.L * np.clip(x, -q.r, q.r)


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G."""
    return Constants(np.zeros(1), 0.0, L=q.L, mu=0.0, G=q.L * q.r)
