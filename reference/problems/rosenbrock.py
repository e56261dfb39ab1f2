"""rosenbrock: a narrow curved valley, neither convex nor globally smooth.

Rule
    f(x) = (1 - x_1)^2 + b (x_2 - x_1^2)^2

Constants
    minimum 0 at x* = (1, 1), where the Hessian's condition number is about 2,500 for b = 100;
    L = inf, mu = -inf, G = inf.

Sources
    H. H. Rosenbrock, "An Automatic Method for Finding the Greatest or Least Value of a Function",
    Computer Journal 3, 1960.
"""

from dataclasses import dataclass

import numpy as np

from truestep.reference.declared import Real
from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Problem:
    """b: how steep the valley's sides are."""

    b: float = 100.0

    def __post_init__(self) -> None:
        Real(0.0, open="low").check("b", self.b)


def value(q: Problem, x: Array) -> Array:
    """f at each row of x."""
    return (1 - x[..., 0]) ** 2 + q.b * (x[..., 1] - x[..., 0] ** 2) ** 2


def gradient(q: Problem, x: Array) -> Array:
    """The gradient at each row of x."""
    across = x[..., 1] - x[..., 0] ** 2
    along = -2 * (1 - x[..., 0]) - 4 * q.b * x[..., 0] * across
    return np.stack([along, 2 * q.b * across], axis=-1)


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G."""
    return Constants(np.ones(2), 0.0, L=np.inf, mu=-np.inf, G=np.inf)
