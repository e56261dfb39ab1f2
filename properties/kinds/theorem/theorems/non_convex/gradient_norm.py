"""The least gradient of T steps on any smooth function, and a function that attains it."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    equal,
    spoilt,
)
from truestep.reference.validation import Array

# Powers of two: every iterate has eight bits, so that no step rounds in any format.
L, G = 4.0, 1.0
# Coordinates that start on both sides of 0, and descend across it.
START = np.array([16.0, 4.0, 1.5])


def slope(x: Array, last: Array) -> Array:
    """f' of the ladder: G on its rungs, half of that between them, and a parabola below the last.

    Between rungs, 1 / L apart for G = 1, f' falls as fast as a curvature of -L lets it, and rises
    again.
    """
    width = G / L
    between = np.mod(x - last, width)
    ladder = G - L * np.minimum(between, width - between)
    return np.where(x >= last, ladder, np.maximum(G + L * (x - last), -G))


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """N steps of 1 / L down the ladder: every gradient has the least size that the theorem allows.

    f falls by 3 G^2 / (4 L) from rung to rung, and by G^2 / (2 L) from the last to its minimum.
    """
    N = trial.pick(60, 120)
    run = kernel.start(START, lr=1 / L)
    last = START - N * G / L
    gap = N * 3 * G**2 / (4 * L) + G**2 / (2 * L)
    tests, points, least = list[Outcome](), list[Point](), np.full(len(START), np.inf)
    for k in range(N + 1):
        g = slope(run.p, last)
        least = np.minimum(least, g * g)
        tests.append(equal(f"rung {k}: gradient", float(g.min()), G, 0.0))
        tests.append(equal(f"rung {k}: largest gradient", float(g.max()), G, 0.0))
        if k and k & (k - 1) == 0:
            # The bound for k steps, of what is left of f after the N - k that follow.
            due = 4 * L * (k * 3 * G**2 / (4 * L) + G**2 / (2 * L)) / (3 * k + 2)
            points.append((k, float(least[0]), due, (due, due)))
        if k < N:
            run.step(g)
    bound = 4 * L * gap / (3 * N + 2)
    tests.append(equal("least squared gradient over its bound", float(least.min()), bound, 0.0))
    # One more step of 1 / L is Newton's on the parabola: it ends at the minimum.
    run.step(slope(run.p, last))
    off = float(np.abs(run.p - (last - G / L)).max())
    tests.append(equal("distance to the minimum after one more step", off, 0.0, 0.0))
    return Evidence.of(tests, points)


GRADIENT_NORM = Theorem(
    name="gradient_norm",
    topic="non_convex",
    statement=(
        "On every f with an L-Lipschitz gradient N steps of 1 / L meet a gradient of "
        "|f'|^2 <= 4 L (f(x_0) - f*) / (3 N + 2); on a ladder whose slope is G on the iterates "
        "and falls and rises between them all have exactly that size."
    ),
    source=(
        "H. Abbaszadehpeivasti, E. de Klerk, M. Zamani, Optim. Lett. 16, 2022 (arXiv:2104.05468), "
        "theorem 2 and its example, for the step 1 / L"
    ),
    subject=Subject("sgd", formats=("bfloat16", "float32", "float64")),
    constants={"L": L, "G": G},
    experiment=experiment,
    controls=spoilt(
        experiment, **{"steps of 0.9 / L": longer(0.9), "steps of 1.1 / L": longer(1.1)}
    ),
    axes=("k", "least squared gradient"),
    changed="the gradient",
)
