"""A constant step keeps a floor of noise in proportion to it, and reaches it at a known time."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer, rate
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.stochastic import gaussian
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    spoilt,
)
from truestep.reference.problems import quadratic

SPECTRUM, NOISE, OPTIMUM = (1.0, 4.0), (1.0, 2.0), (1.0, -2.0)
RATES, STEPS = (0.05, 0.1, 0.2, 0.4), 16


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Runs that start at rest stay there, moving: moments after 1 to 16 steps, four rates."""
    q = quadratic.with_spectrum(SPECTRUM, NOISE, OPTIMUM, seed=4)
    n = trial.pick(8_000, 100_000)
    level = trial.level / (len(RATES) * (STEPS.bit_length() + 1) * gaussian.moment_tests(2))
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for part, lr in enumerate(RATES):
        C, rng = quadratic.stationary_covariance(q, lr), trial.rng(part)
        x0 = q.optimum + rng.standard_normal((n, 2)) @ np.linalg.cholesky(C).T
        runs = gaussian.replicates(q, kernel, [lr] * STEPS, x0, n, rng)
        for run in runs:
            name = f"a = {lr}, t = {run.t}"
            outcomes.append(gaussian.moments(run.x, q.optimum, C, run.drift, level, name))
        # At rest x still moves, by -a (H (x - x*) + noise).
        way, moving = runs[0].x - x0, lr**2 * (q.H @ C @ q.H + q.noise)
        name = f"a = {lr}: the first step"
        outcomes.append(gaussian.moments(way, np.zeros(2), moving, runs[0].drift, level, name))
        floor = float(C[0, 0])
        band = gaussian.variance_band(floor, n, run.drift, level)
        points.append((lr, gaussian.coordinate(run.x - q.optimum), floor, band))
    return Evidence.of(outcomes, points)


NOISE_FLOOR = Theorem(
    name="noise_floor",
    topic="stochastic",
    statement=(
        "At a constant step a SGD on a quadratic rests at the covariance C with C_ij = a S_ij / "
        "(l_i + l_j - a l_i l_j) in the eigenbasis, in one dimension a s^2 / (l (2 - a l)): a "
        "floor in proportion to a, an excess loss of a s^2 / (2 (2 - a l)) a mode."
    ),
    source=(
        "G. Pflug, SIAM J. Control Optim. 24, 1986; S. Mandt, M. Hoffman, D. Blei, JMLR 18, 2017, "
        "section 3, in the limit of small a"
    ),
    subject=Subject("sgd"),
    constants={"L": 4.0, "mu": 1.0, "least a": RATES[0], "largest a": RATES[-1], "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "steps 10 percent too long": longer(1.1),
            "steps that decay": rate(lambda lr, t: lr / float(np.sqrt(t + 1))),
        },
    ),
    axes=("a", "variance of the first coordinate at rest"),
    random=True,
    changed="the floor",
)
