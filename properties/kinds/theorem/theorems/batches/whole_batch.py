"""Descent with gradients that something puts together, beside that of the whole batch."""

from collections.abc import Callable

import numpy as np

from truestep.properties.kinds.theorem.theorems.theorem import Evidence, Outcome, Point
from truestep.reference.problems import least_squares
from truestep.reference.validation import Array

EXAMPLES, LR, STEPS = 12, 0.25, 32


def problem() -> least_squares.Problem:
    """Twelve examples of three numbers, with L below 4."""
    rng = np.random.default_rng(11)
    A = rng.standard_normal((EXAMPLES, 3))
    return least_squares.Problem(A, A @ np.array([1.0, -2.0, 0.5]) + rng.standard_normal(EXAMPLES))


def descends(u: float, together: Callable[[Array, Array], Array]) -> Evidence:
    """32 steps with what together(x, gradients of the examples) makes of them.

    A sum of n terms over a weight, in any order, rounds each at most n + 3 times; errors of x pass
    through I - LR H, which contracts.
    """
    q = problem()
    x = due = np.array([3.0, 3.0, -3.0])
    outcomes: list[Outcome] = []
    points: list[Point] = []
    erring = 0.0
    for t in range(1, STEPS + 1):
        g = least_squares.sampled_gradients(q, x)
        x = x - LR * together(x, g)
        due = due - LR * least_squares.gradient(q, due)
        once = (EXAMPLES + 3) * u * float(np.abs(g).mean(axis=0).max())
        erring += LR * float(np.sqrt(3)) * (once + 2.0**-53 * 64 * float(np.abs(g).max()))
        erring += 2.0**-53 * 16
        gap = float(np.abs(x - due).max())
        change = 2 * erring / float(np.abs(due).max())
        outcomes.append(Outcome(gap / erring, f"t = {t}: the whole batch's iterate", change))
        if t & (t - 1) == 0:
            got, want = (float(np.abs(v[0])) for v in (x, due))
            points.append((t, got, want, (want - erring, want + erring)))
    return Evidence.of(outcomes, points)
