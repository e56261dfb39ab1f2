"""Descent in Rosenbrock's valley, step by step within the bounds that curvature gives."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import gradients, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.non_convex.descent import between, rounding
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    spoilt,
)
from truestep.reference.problems import rosenbrock
from truestep.reference.validation import Array

Q, START = rosenbrock.Problem(b=10.0), np.array([-1.25, 1.0])
# A box, which is convex, that holds every iterate: |x_1| <= 1.5 and -0.5 <= x_2 <= 2.
WIDEST, LOWEST, HIGHEST = 1.5, -0.5, 2.0


def curvatures() -> tuple[float, float]:
    """Bounds on the Hessian over the box: its eigenvalues lie between minus the last and the first.

    The Hessian is [[2 - 4 b (y - x^2) + 8 b x^2, -4 b x], [-4 b x, 2 b]]: a sum of
    2 b w w', w = (-2 x, 1), which is positive, of (2, 0) and of -4 b (y - x^2) in one corner.
    """
    b = Q.b
    across = LOWEST - WIDEST**2, HIGHEST
    most = 2 * b * (4 * WIDEST**2 + 1) + 2 - 4 * b * across[0]
    return most, 4 * b * across[1] - 2


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """256 steps of 1 / L: what each lowers f by.

    Sums over the steps bound the least gradient.
    """
    L, M = curvatures()
    a = 1 / L
    run = kernel.start(START, lr=a)
    begun, squares, slack = float(rosenbrock.value(Q, run.p)), list[float](), 0.0
    tests, points = list[Outcome](), list[Point]()
    for k in range(1, trial.pick(256, 8192) + 1):
        x = run.p
        g, f = rosenbrock.gradient(Q, x), float(rosenbrock.value(Q, x))
        new, square = run.step(g), float(g @ g)
        off = rounding(kernel, x, new, a, g, max(L, M)) + 2.0**-53 * 64 * (f + _terms(x))
        drop = f - float(rosenbrock.value(Q, new))
        least, most = a * square / 2, (a + M * a * a / 2) * square
        tests.append(between(f"step {k}: decrease", drop, least, most, off))
        tests.append(at_most(f"step {k}: place in the box", _outside(new), 1.0))
        squares.append(square)
        slack += off
        if k & (k - 1) == 0:
            bound = 2 * L * (begun + slack) / k
            tests.append(at_most(f"{k} steps: least squared gradient", min(squares), bound))
            points.append((k, min(squares), bound, (0.0, bound)))
    return Evidence.of(tests, points)


def _outside(x: Array) -> float:
    """At most 1 in the box."""
    middle, half = (HIGHEST + LOWEST) / 2, (HIGHEST - LOWEST) / 2
    return float(max(abs(x[0]) / WIDEST, abs(x[1] - middle) / half))


def _terms(x: Array) -> float:
    """The size of what f is made of, whose rounding in float64 its value has."""
    return float(Q.b * (abs(x[1]) + x[0] ** 2) ** 2)


ROSENBROCK_DESCENT = Theorem(
    name="rosenbrock_descent",
    topic="non_convex",
    statement=(
        "Where -M <= f'' <= L on a convex set that holds the iterates, each step of 1 / L lowers f "
        "by |f'|^2 / (2 L) at least and (1 / L + M / (2 L^2)) |f'|^2 at most, and T of them meet a "
        "gradient of |f'|^2 <= 2 L (f(x_0) - f*) / T: so in Rosenbrock's valley, which is neither "
        "convex nor smooth as a whole."
    ),
    source="Y. Nesterov, Lectures on Convex Optimization, 2018, section 1.2.3",
    subject=Subject("sgd"),
    constants={"b": Q.b, "L": curvatures()[0], "M": curvatures()[1]},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "steps of 0.4 / L": longer(0.4),
            "a coordinate forgotten": gradients(lambda g, _: np.asarray(g) * np.array([1.0, 0.0])),
        },
    ),
    axes=("k", "least squared gradient so far"),
    changed="the decrease of a step",
)
