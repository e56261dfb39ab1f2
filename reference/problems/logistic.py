"""logistic: logistic regression with an L2 penalty, smooth and strongly convex but not quadratic.

Rule
    f(x) = mean_i log(1 + exp(-y_i a_i' x)) + l2 |x|^2 / 2,    y_i in {-1, 1}

Constants
    L = (largest eigenvalue of A'A / n) / 4 + l2, mu = l2; x* by Newton's method; G = inf.

Sources
    S. Boyd, L. Vandenberghe, "Convex Optimization", 2004, sections 7.1.1 and 9.5.
"""

from dataclasses import dataclass

import numpy as np

from truestep.reference.declared import Real
from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Problem:
    """A: n x d, one example a row; y: n labels -1 or 1; l2: the penalty's weight."""

    A: Array
    y: Array
    l2: float

    def __post_init__(self) -> None:
        Real(0.0, open="low").check("l2", self.l2)
        if not np.all(np.abs(self.y) == 1):
            raise ValueError(f"y must hold -1 and 1 only, got {np.unique(self.y)!r}")


def value(q: Problem, x: Array) -> Array:
    """f at x."""
    return np.mean(np.logaddexp(0.0, -q.y * (q.A @ x))) + q.l2 * (x @ x) / 2


def gradient(q: Problem, x: Array) -> Array:
    """The gradient of f at x."""
    return q.A.T @ (-q.y * _falling(q.y * (q.A @ x))) / len(q.y) + q.l2 * x


def hessian(q: Problem, x: Array) -> Array:
    """The second derivative of f at x."""
    p = _falling(q.A @ x)
    return (q.A.T * (p * (1 - p))) @ q.A / len(q.y) + q.l2 * np.eye(q.A.shape[1])


def _falling(margin: Array) -> Array:
    """1 / (1 + exp(margin)) without overflow."""
    return np.exp(-np.logaddexp(0.0, margin))


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G; Newton's steps go on until the gradient stops shrinking."""
    x = np.zeros(q.A.shape[1])
    for _ in range(100):
        candidate = x - np.linalg.solve(hessian(q, x), gradient(q, x))
        if not np.linalg.norm(gradient(q, candidate)) < np.linalg.norm(gradient(q, x)):
            break
        x = candidate
    L = float(np.linalg.eigvalsh(q.A.T @ q.A / len(q.y))[-1]) / 4 + q.l2
    return Constants(x, float(value(q, x)), L=L, mu=q.l2, G=np.inf)
