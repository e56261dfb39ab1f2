"""hinge: the loss of a support vector machine, convex with kinks and a bounded slope.

Rule
    f(x) = mean_i max(0, 1 - y_i a_i' x),    y_i in {-1, 1}
    subgradient mean_i -y_i a_i where y_i a_i' x < 1

Constants
    L = inf, mu = 0, G = mean_i |a_i|; x* and the minimum by linear programming.

Sources
    C. Cortes, V. Vapnik, "Support-Vector Networks", Machine Learning 20, 1995. S. Shalev-Shwartz,
    S. Ben-David, "Understanding Machine Learning", 2014, section 12.3.
"""

from dataclasses import dataclass

import numpy as np

from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Problem:
    """A: n x d, one example a row; y: n labels -1 or 1."""

    A: Array
    y: Array

    def __post_init__(self) -> None:
        if not np.all(np.abs(self.y) == 1):
            raise ValueError(f"y must hold -1 and 1 only, got {np.unique(self.y)!r}")


def value(q: Problem, x: Array) -> Array:
    """f at x."""
    return np.mean(np.maximum(0.0, 1 - q.y * (q.A @ x)))


def gradient(q: Problem, x: Array) -> Array:
    """A subgradient of f at x."""
    active = q.y * (q.A @ x) < 1
    return -(q.y * active) @ q.A / len(q.y)


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G."""
    from scipy.optimize import linprog

    n, d = q.A.shape
    # min mean(s) over x and s >= 0 with s_i >= 1 - y_i a_i' x.
    cost = np.concatenate([np.zeros(d), np.full(n, 1 / n)])
    rows = np.hstack([-q.y[:, None] * q.A, -np.eye(n)])
    bounds = [(None, None)] * d + [(0, None)] * n
    found = linprog(cost, A_ub=rows, b_ub=-np.ones(n), bounds=bounds)
    G = float(np.mean(np.linalg.norm(q.A, axis=1)))
    return Constants(found.x[:d], float(value(q, found.x[:d])), L=np.inf, mu=0.0, G=G)
