"""What is known of a problem: the constants that convergence theorems are stated in."""

from dataclasses import dataclass

from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Constants:
    """The facts of one problem.

    optimum: a minimizer x*. minimum: f(x*). L: the gradient's Lipschitz constant, inf where it has
    none. mu: the modulus of strong convexity, 0 where there is none, and negative where f is not
    convex: f + |mu| |x|^2 / 2 is. G: the Lipschitz constant of f
    itself, inf where it has none.
    """

    optimum: Array
    minimum: float
    L: float
    mu: float
    G: float
