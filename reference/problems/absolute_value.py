"""absolute_value: the l1 norm, convex and nowhere smooth at its minimum.

Rule
    f(x) = |x_1| + ... + |x_d|,    subgradient sign(x), 0 at 0

Constants
    minimum 0 at x* = 0; L = inf; mu = 0; G = sqrt(d). At a constant step a the iterates enter
    [-a, a] and alternate there between rho and rho - a for ever.

Sources
    Y. Nesterov, "Lectures on Convex Optimization", 2nd edition, 2018, section 3.2.3.
"""

from dataclasses import dataclass

import numpy as np

from truestep.reference.declared import Count
from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Problem:
    """The dimension d."""

    d: int

    def __post_init__(self) -> None:
        Count(1).check("d", self.d)


def value(q: Problem, x: Array) -> Array:
    """f at each row of x."""
    return np.sum(np.abs(x), axis=-1)


def gradient(q: Problem, x: Array) -> Array:
    """A subgradient at each row of x."""
    return np.sign(x)


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G."""
    return Constants(np.zeros(q.d), 0.0, L=np.inf, mu=0.0, G=float(np.sqrt(q.d)))
