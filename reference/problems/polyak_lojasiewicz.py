"""polyak_lojasiewicz: not convex, and still gradient descent converges linearly to its minimum.

Rule
    f(x) = x^2 + 3 sin(x)^2,    f'(x) = 2 x + 3 sin(2 x)

Constants
    minimum 0 at x* = 0; f'' = 2 + 6 cos(2 x) lies in [-4, 8], so L = 8 and mu = -4; G = inf.
    f'(x)^2 >= 2 PL f(x) everywhere, with PL = 0.17553098..., attained at +-2.2017...; so steps of
    1 / L have f(x_k) <= (1 - PL / L)^k f(x_0).

Sources
    H. Karimi, J. Nutini, M. Schmidt, "Linear Convergence of Gradient and Proximal-Gradient Methods
    Under the Polyak-Lojasiewicz Condition", ECML 2016 (arXiv:1608.04636), section 2.2, whose 1 / 32
    is a lower bound on PL.
"""

from dataclasses import dataclass

import numpy as np

from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array

# The least f'(x)^2 / (2 f(x)): where its derivative vanishes, f'' f = f'^2 / 2.
PL = 0.17553098587973173


@dataclass(frozen=True, slots=True)
class Problem:
    """Nothing is left to choose."""


def value(q: Problem, x: Array) -> Array:
    """f at each element of x."""
    return x * x + 3 * np.sin(x) ** 2


def gradient(q: Problem, x: Array) -> Array:
    """The derivative at each element of x."""
    return 2 * x + 3 * np.sin(2 * x)


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G."""
    return Constants(np.zeros(1), 0.0, L=8.0, mu=-4.0, G=np.inf)
