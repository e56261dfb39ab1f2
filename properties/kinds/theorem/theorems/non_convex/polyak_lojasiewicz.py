"""Linear convergence without convexity, under the condition of Polyak and Lojasiewicz."""

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
from truestep.reference.problems import polyak_lojasiewicz as problem
from truestep.reference.validation import Array

L, MU = 8.0, 4.0
PL = problem.PL
# The problem's minimum is moved away from 0, and reached from both sides of its flat places.
OPTIMUM = 3.0
STARTS = OPTIMUM + np.array([-20.0, -9.5, -2.2, 2.2, 6.0, 13.0])
Q = problem.Problem()


def value(x: Array) -> Array:
    """f(x - 3), coordinate by coordinate."""
    return problem.value(Q, x - OPTIMUM)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The gap after k steps of 1 / L, and the decrease of each between its two bounds.

    Errors of f are carried on by 1 - PL / L, as the gap itself is.
    """
    a = 1 / L
    run = kernel.start(STARTS, lr=a)
    begun, error = value(run.p), np.zeros(len(STARTS))
    tests, points = list[Outcome](), list[Point]()
    for k in range(1, trial.pick(96, 1024) + 1):
        x = run.p
        g = problem.gradient(Q, x - OPTIMUM)
        new = run.step(g)
        for i in range(len(x)):
            # Of each coordinate alone: its step, and its bounds by -MU <= f'' <= L.
            one = slice(i, i + 1)
            off = rounding(kernel, x[one], new[one], a, g[one], L) + _own(x[one])
            error[i] = (1 - PL / L) * error[i] + off
            least, most = (a - L * a * a / 2) * g[i] ** 2, (a + MU * a * a / 2) * g[i] ** 2
            drop = float(value(x[one])[0] - value(new[one])[0])
            tests.append(between(f"step {k}, start {i}: decrease", drop, least, most, off))
        bound = (1 - PL / L) ** k * begun
        i = int(np.argmax(value(new) / (bound + error)))
        gap = float(value(new)[i])
        tests.append(at_most(f"step {k}, start {i}: gap", gap, float(bound[i]), float(error[i])))
        if k & (k - 1) == 0:
            most = float(bound[1] + error[1])
            points.append((k, float(value(new)[1]), float(bound[1]), (0.0, most)))
    return Evidence.of(tests, points)


def _own(x: Array) -> float:
    """What float64 errs in two values of f, of few operations each, and in g of them."""
    return 2.0**-53 * 64 * float(np.max((x - OPTIMUM) ** 2) + 3 + np.max(np.abs(x)))


POLYAK_LOJASIEWICZ = Theorem(
    name="polyak_lojasiewicz",
    topic="non_convex",
    statement=(
        "Where |f'|^2 >= 2 PL (f - f*), steps of 1 / L have f(x_k) - f* <= (1 - PL / L)^k "
        "(f(x_0) - f*) without convexity; each lowers f by at least |f'|^2 / (2 L) and, for "
        "f'' >= -M, by at most (1 / L + M / (2 L^2)) |f'|^2."
    ),
    source=(
        "B. T. Polyak, USSR Comput. Math. 3, 1963; H. Karimi, J. Nutini, M. Schmidt, ECML 2016 "
        "(arXiv:1608.04636), theorem 1"
    ),
    subject=Subject("sgd"),
    constants={"L": L, "M": MU, "PL": PL},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "steps of 0.4 / L": longer(0.4),
            "steps of 2.2 / L": longer(2.2),
            "gradients clipped at 1": gradients(lambda g, _: np.clip(np.asarray(g), -1, 1)),
        },
    ),
    axes=("k", "f(x_k) - f*"),
    changed="the decrease of a step",
)
