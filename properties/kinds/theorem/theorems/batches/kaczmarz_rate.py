"""Where all residuals can vanish, single examples converge linearly at a constant step."""

from functools import partial

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
    equal,
    spoilt,
)
from truestep.reference.validation import Array

EXAMPLES, OPTIMUM = 6, np.array([1.0, -2.0, 0.5])


def experiment(kernel: Kernel, trial: Trial, label_noise: float = 0.0) -> Evidence:
    """The mean squared distance after one step from points along every singular direction.

    Each example is stepped with, and counts by its probability |a_i|^2 / |A|^2. Since the mean of
    the next distance is a quadratic form of this one, one step from every direction decides all.
    """
    rng = np.random.default_rng(10)
    A = rng.standard_normal((EXAMPLES, 3)) * np.array([1.0, 0.5, 2.0])
    y = A @ OPTIMUM + label_noise * rng.standard_normal(EXAMPLES)
    squares = np.sum(A * A, axis=1)
    singular, directions = np.linalg.svd(A)[1:]
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for s, v in zip(singular, directions, strict=True):
        e = v
        due = 1 - float(s**2 / squares.sum())
        got, allowed = _after(kernel, A, y, squares, e)
        outcomes.append(equal(f"singular value {s:.3g}", got, due, allowed))
        points.append((float(s), got, due, (due - allowed, due + allowed)))
    return Evidence.of(outcomes, sorted(points))


def _after(kernel: Kernel, A: Array, y: Array, squares: Array, e: Array) -> tuple[float, float]:
    """E |x' - x*|^2 from x* + e, and what rounding may change of it."""
    total, allowed = 0.0, 0.0
    for a, response, square in zip(A, y, squares, strict=True):
        run, lr = kernel.start(OPTIMUM + e), 1 / float(square)
        before = run.p
        # p is in its format: the residual is of what the kernel has.
        g = a * (a @ before - response)
        after = run.step(g, lr=lr)
        p = float(square / squares.sum())
        step = rounding.of_step(kernel.u, before, after, lr, g) + kernel.u * 4 + 2.0**-53 * 64
        total += p * float(np.sum((after - OPTIMUM) ** 2))
        # |x' - x*| <= |e|, and every coordinate errs by the step's rounding and the start's.
        allowed += p * (2 * np.sqrt(3) * step + 3 * step**2)
    return total, allowed


KACZMARZ_RATE = Theorem(
    name="kaczmarz_rate",
    topic="batches",
    statement=(
        "On consistent least squares, steps 1 / |a_i|^2 on single examples drawn in proportion to "
        "|a_i|^2 have E |x' - x*|^2 = |x - x*|^2 - |A (x - x*)|^2 / |A|_F^2: a linear rate "
        "1 - s_min^2 / |A|_F^2 without any floor of noise."
    ),
    source="T. Strohmer, R. Vershynin, J. Fourier Anal. Appl. 15, 2009, theorem 2",
    subject=Subject("sgd"),
    constants={"n": EXAMPLES, "d": 3},
    experiment=experiment,
    controls={
        "responses with noise": partial(experiment, label_noise=0.1),
        **spoilt(experiment, steps_5_percent_too_long=longer(1.05)),
    },
    axes=("singular value", "mean squared distance after one step"),
    changed="the rate",
)
