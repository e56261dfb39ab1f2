"""K-FAC is Newton's method on a linear layer with a quadratic loss."""

import numpy as np

from truestep.properties.arithmetic.formats import format_named
from truestep.properties.kinds.theorem.theorems.controls import held, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.replicas import Replicas
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    spoilt,
)
from truestep.reference.factors import EXAMPLES

# Inputs of unlike sizes, and a loss r' S r / 2 that weighs the outputs unlike.
OPTIMUM = np.array([[3.0, -1.0, 0.5, 2.0], [-2.0, 1.5, 1.0, -0.5], [0.25, 4.0, -3.0, 1.0]])
START = np.full((3, 4), 1.5)
WEIGHTS = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.25], [0.0, 0.25, 0.5]])
RATES = (1.0, 0.5)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """A full step and a half one, for several batches."""
    tests, points = list[Outcome](), list[Point]()
    for batch in range(trial.pick(2, 50)):
        for lr in RATES:
            test, point = _step(kernel, trial.rng(batch), lr)
            tests.append(test)
            points.append((len(points) + 1, *point))
    return Evidence.of(tests, points)


def _step(
    kernel: Kernel, rng: np.random.Generator, lr: float
) -> tuple[Outcome, tuple[float, float, tuple[float, float]]]:
    """G = S (W - W*) A, with the second moments of what the kernel is given.

    G is rounded before: |S^-1| |G - its rounding| |A^-1| is added to what the replicas stray.
    """
    format = format_named(kernel.capability.format)
    a = format.round(rng.standard_normal((EXAMPLES, 4)) * np.array([1.0, 2.0, 0.5, 1.0]))
    Q = np.linalg.qr(rng.standard_normal((EXAMPLES, 3)))[0]
    d = format.round(np.sqrt(EXAMPLES) * Q @ np.linalg.cholesky(WEIGHTS).T)
    A, S = a.T @ a / EXAMPLES, d.T @ d / EXAMPLES
    given = {"lr": lr, "damping": 0.0, "weight_decay": 0.0}
    run = kernel.start(START, **given)
    exact = S @ (run.p - OPTIMUM) @ A
    G, inputs = format.round(exact), {"activations": a, "derivatives": d}
    replicas, due = Replicas(kernel, run.p, given), (1 - lr) * run.p + lr * OPTIMUM
    x, error = run.step(G, inputs), replicas.step(G, inputs)
    rounding = np.abs(np.linalg.inv(S)) @ (np.abs(G - exact) + 2.0**-52 * np.abs(exact))
    allowed = float(np.linalg.norm(error + lr * rounding @ np.abs(np.linalg.inv(A))))
    gap, size = float(np.linalg.norm(x - due)), float(np.linalg.norm(START - OPTIMUM))
    left = float(np.linalg.norm(x - OPTIMUM)) / size
    point = (left, 1 - lr, (1 - lr - allowed / size, 1 - lr + allowed / size))
    return Outcome(gap / allowed, f"lr {lr:g}: the parameter", 2 * allowed / size), point


KFAC_EXACTNESS = Theorem(
    name="kfac_exactness",
    topic="curvature",
    statement=(
        "For a linear layer whose loss is quadratic in its outputs the curvature is a Kronecker "
        "product, and K-FAC without damping makes Newton's step: lr = 1 ends at the optimum, any "
        "lr leaves 1 - lr of the distance in every direction."
    ),
    source=(
        "J. Martens, R. Grosse, ICML 2015 (arXiv:1503.05671), section 3: the approximation is "
        "exact where inputs and derivatives are independent"
    ),
    subject=Subject("kfac", sets=("lr", "damping", "weight_decay")),
    constants={"outputs": 3, "inputs": 4, "examples": EXAMPLES},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{"damping of 0.01": held(damping=0.01), "every step 1 % too long": longer(1.01)},
    ),
    axes=("batch and rate", "part of the distance that is left"),
    changed="the parameter",
)
