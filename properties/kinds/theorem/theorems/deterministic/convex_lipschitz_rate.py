"""Merely convex and Lipschitz: D G / sqrt(T) for the average, and no method does better."""

from collections.abc import Callable

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    equal,
    spoilt,
)
from truestep.reference.problems import absolute_value, hinge
from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array

HORIZONS = (4, 16, 64, 256)
OPTIMUM = np.array([1.0, -2.0, 0.5, 3.0])
DISTANCE, DIMENSION = 1.0, 20


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The average of T steps D / (G sqrt(T)) on the l1 norm and a hinge loss; then resistance."""
    outcomes: list[Outcome] = []
    points: list[Point] = []
    l1, (machine, c) = absolute_value.Problem(4), _machine()
    towards = np.array([0.1, -0.7, 0.5, 0.5])
    start = OPTIMUM + DISTANCE * towards / np.linalg.norm(towards)
    for T in HORIZONS:
        G, D = absolute_value.constants(l1).G, DISTANCE
        found = _average(kernel, start, OPTIMUM, D / (G * np.sqrt(T)), T, np.sign)
        gap, bound = float(absolute_value.value(l1, found[0] - OPTIMUM)), D * G / np.sqrt(T)
        outcomes.append(at_most(f"T = {T}: l1 norm", gap, bound, found[1]))
        points.append((T, gap, bound, (0.0, bound + found[1])))
        D = float(np.linalg.norm(c.optimum))
        found = _average(
            kernel,
            np.zeros(3),
            c.optimum,
            D / (c.G * np.sqrt(T)),
            T,
            lambda e: hinge.gradient(machine, e + c.optimum),
        )
        gap, bound = float(hinge.value(machine, found[0])) - c.minimum, D * c.G / np.sqrt(T)
        outcomes.append(at_most(f"T = {T}: hinge loss", gap, bound, found[1]))
    return Evidence.of([*outcomes, _resisted(kernel)], points)


def _average(
    kernel: Kernel, start: Array, optimum: Array, lr: float, T: int, slope: Callable[[Array], Array]
) -> tuple[Array, float]:
    """The mean of x_0 ... x_{T-1}, and what rounding adds to the bound on f there.

    An error e of a step adds 2 |e| |x' - x*| + |e|^2 to the squared distance, of which the sum of
    2 lr (f(x_t) - f*) is what is lost.
    """
    run, total, added = kernel.start(start, lr=lr), np.zeros_like(start), 0.0
    for _ in range(T):
        before = run.p
        total, g = total + before, slope(before - optimum)
        x = run.step(g)
        error = np.sqrt(len(x)) * rounding.of_step(kernel.u, before, x, lr, g)
        added += 2 * error * (float(np.linalg.norm(x - optimum)) + error)
    return total / T, added / (2 * lr * T)


def _machine() -> tuple[hinge.Problem, Constants]:
    """Forty labels that no line separates."""
    rng = np.random.default_rng(4)
    A = rng.standard_normal((40, 3))
    y = np.where(A @ np.array([1.0, -1.0, 0.5]) + rng.standard_normal(40) > 0, 1.0, -1.0)
    q = hinge.Problem(A, y)
    return q, hinge.constants(q)


def _resisted(kernel: Kernel) -> Outcome:
    """max_i x_i over the ball of radius 1: an oracle that shows a new coordinate at each step.

    After N steps of any size from 0 a coordinate of N + 1 is untouched, so f = 0 there, at the best
    point and at the average; the minimum is -1 / sqrt(N + 1).
    """
    run = kernel.start(np.full(DIMENSION + 1, 2.0), lr=1 / np.sqrt(DIMENSION))
    total, best = np.zeros(DIMENSION + 1), np.inf
    for _ in range(DIMENSION):
        # Of ties the first: coordinates that were pulled lie below the others.
        g = np.zeros(DIMENSION + 1)
        g[int(np.argmax(run.p))] = 1.0
        run.step(g)
        total, best = total + run.p, min(best, float(run.p.max()) - 2)
    at_average = float((total / DIMENSION).max()) - 2
    scaled = (max(best, at_average) + 1 / np.sqrt(DIMENSION + 1)) * np.sqrt(DIMENSION + 1)
    return equal("resisting oracle: gap sqrt(N + 1)", scaled, 1.0, 2.0**-53 * 64 * DIMENSION)


CONVEX_LIPSCHITZ = Theorem(
    name="convex_lipschitz_rate",
    topic="deterministic",
    statement=(
        "Of a convex f with subgradients of size G at most, started D from x*, the average of T "
        "subgradient steps D / (G sqrt(T)) has f - f* <= D G / sqrt(T); and for some f every "
        "method that steps along subgradients is left with D G / sqrt(T + 1) after T of them."
    ),
    source=(
        "Y. Nesterov, Lectures on Convex Optimization, 2018, theorems 3.2.1 and 3.2.2; A. "
        "Nemirovski, A. Juditsky, G. Lan, A. Shapiro, SIAM J. Optim. 19, 2009, section 2.2"
    ),
    subject=Subject("sgd"),
    constants={"D": DISTANCE, "G": 2.0, "resisting steps": DIMENSION},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{"steps 20 times too long": longer(20.0), "steps 20 times too short": longer(0.05)},
    ),
    axes=("T", "f - f* at the average of T iterates, l1 norm"),
    changed="the gap",
)
