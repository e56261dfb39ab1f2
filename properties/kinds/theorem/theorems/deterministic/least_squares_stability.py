"""On streaming least squares the noise grows with the error, and stability ends far below 2 / L."""

from functools import partial
from itertools import product

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
from truestep.reference.problems import streaming_least_squares
from truestep.reference.validation import Array

SPECTRUM, OPTIMUM, NOISE = np.array([1.0, 2.0]), np.array([1.0, -0.5]), 0.5
BATCHES = (1, 2)
# Three values with the first five moments of the standard normal distribution.
NODES = ((-np.sqrt(3.0), 1 / 6), (0.0, 2 / 3), (np.sqrt(3.0), 1 / 6))


def experiment(kernel: Kernel, trial: Trial, sums: bool = False) -> Evidence:
    """The operator that takes second moments to the next step's, from steps on all examples.

    Fourth moments of examples decide it, and three nodes a coordinate have those of Gaussians, so
    that a weighted mean over all nodes is the expectation. sums: a batch is summed.
    """
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for batch in BATCHES:
        q = streaming_least_squares.Problem(SPECTRUM, OPTIMUM, NOISE)
        limit = streaming_least_squares.stability_limit(q, batch)
        for factor in (0.5, 0.9, 1.0, 1.1):
            a = factor * limit
            got, allowed = _operator(kernel, a, batch, sums)
            due = np.diag(1 - 2 * a * SPECTRUM + (a * SPECTRUM) ** 2 * (batch + 1) / batch)
            due += a**2 * np.outer(SPECTRUM, SPECTRUM) / batch
            gap = float(np.abs(got - due).max())
            name = f"batches of {batch}, {factor} of the limit"
            outcomes.append(Outcome(gap / allowed, f"{name}: operator", 2 * allowed / due.max()))
            # Of a symmetric matrix no eigenvalue moves further than its entries' sums do.
            radius = float(np.abs(np.linalg.eigvals(got)).max())
            exact = float(np.linalg.eigvalsh(due)[-1])
            outcomes.append(equal(f"{name}: spectral radius", radius, exact, 2 * allowed))
            if factor == 1:
                outcomes.append(equal(f"{name}: stability ends", radius, 1.0, 2 * allowed))
            if batch == 1:
                band = exact - 2 * allowed, exact + 2 * allowed
                points.append((a, radius, exact, band))
    return Evidence.of(outcomes, points)


def _operator(kernel: Kernel, a: float, batch: int, sums: bool) -> tuple[Array, float]:
    """Column j: the second moments after a step from x* + e_j; and what rounding may change."""
    nodes = list(product(NODES, repeat=2 * batch))
    values = np.array([[v for v, _ in row] for row in nodes]).reshape(-1, batch, 2)
    weights = np.array([np.prod([w for _, w in row]) for row in nodes])
    examples = values * np.sqrt(SPECTRUM)
    columns, erring, largest = [], 0.0, 0.0
    for e in np.eye(2):
        run = kernel.start(np.tile(OPTIMUM + e, (len(nodes), 1)), lr=a)
        before = run.p
        away = before - OPTIMUM
        residual = np.einsum("nbd,nd->nb", examples, away)
        g = np.mean(examples * residual[..., None], axis=1) * (batch if sums else 1)
        after = run.step(g)
        erring = max(erring, rounding.of_step(kernel.u, before, after, a, g) + 2.0**-53 * 64)
        largest = max(largest, float(np.abs(after - OPTIMUM).max()))
        columns.append(weights @ (after - OPTIMUM) ** 2)
    return np.array(columns).T, 2 * erring * largest + erring**2


LEAST_SQUARES_STABILITY = Theorem(
    name="least_squares_stability",
    topic="deterministic",
    statement=(
        "On least squares with fresh Gaussian examples of covariance H, SGD with batches of B "
        "takes the second moments m_i of the error to m_i (1 - 2 a l_i + a^2 l_i^2 (B + 1) / B) "
        "+ a^2 l_i sum l_j m_j / B: stable for a < 4 / (9 + sqrt(17)) = 0.3048 where B = 1 and H "
        "has the eigenvalues 1 and 2, of which descent without noise bears a < 1."
    ),
    source=(
        "by Isserlis' theorem; B. Widrow, J. McCool, IEEE Trans. Antennas Propag. 24, 1976, for "
        "the limit"
    ),
    subject=Subject("sgd"),
    constants={"L": 2.0, "mu": 1.0},
    experiment=experiment,
    controls={
        "sums of batches in the place of means": partial(experiment, sums=True),
        **spoilt(experiment, steps_1_permille_too_long=longer(1.001)),
    },
    axes=("a", "spectral radius of the second moments, B = 1"),
    changed="the operator",
)
