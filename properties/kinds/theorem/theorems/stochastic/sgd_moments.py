"""SGD on a quadratic has exactly the mean and covariance of its recursion."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.stochastic import gaussian
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Subject,
    Theorem,
    Trial,
    spoilt,
)
from truestep.reference.problems import quadratic

SPECTRUM, NOISE, OPTIMUM = (0.25, 1.0, 4.0), (0.5, 1.0, 2.0), (1.0, -2.0, 0.5)
LR, STEPS = 0.2, 64


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Means and covariances of all runs after 1, 2, 4, ..., 64 steps."""
    q = quadratic.with_spectrum(SPECTRUM, NOISE, OPTIMUM, seed=1)
    steps, x0, n = [LR] * STEPS, np.zeros(3), trial.pick(4_000, 40_000)
    exact = {m.t: m for m in quadratic.moments(q, x0, steps)}
    runs = gaussian.replicates(q, kernel, steps, x0, n, trial.rng())
    level = trial.level / (len(runs) * gaussian.moment_tests(3))
    tests, points = [], []
    for run in runs:
        m = exact[run.t]
        centre = q.optimum + m.mean
        name = f"t = {run.t}"
        tests.append(gaussian.moments(run.x, centre, m.covariance, run.drift, level, name))
        expected = float(m.covariance[0, 0])
        band = gaussian.variance_band(expected, n, run.drift, level)
        points.append((run.t, gaussian.coordinate(run.x - centre), expected, band))
    return Evidence.of(tests, points)


SGD_MOMENTS = Theorem(
    name="sgd_moments",
    topic="stochastic",
    statement=(
        "On a quadratic with Hessian H and additive gradient noise of covariance S, SGD with steps "
        "a_t has E x_{t+1} - x* = (I - a_t H)(E x_t - x*) and "
        "Cov x_{t+1} = (I - a_t H) Cov x_t (I - a_t H) + a_t^2 S, exactly."
    ),
    source=(
        "by linearity; L. Bottou, F. E. Curtis, J. Nocedal, SIAM Review 60, 2018, section 4, for "
        "the bounds it sharpens"
    ),
    subject=Subject("sgd"),
    constants={"L": 4.0, "mu": 0.25, "lr": LR, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(experiment, every_step_10_percent_too_long=longer(1.1)),
    axes=("t", "variance of the first coordinate"),
    random=True,
    changed="the variance",
)
