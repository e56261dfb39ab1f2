"""Averages of 1 / t steps: all iterates double the last one's variance, the later half does not."""

from functools import partial

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import longer
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

STEPS, OPTIMUM, START = 256, 2.0, -1.0


def experiment(kernel: Kernel, trial: Trial, from_start: bool = False) -> Evidence:
    """Variances of the last iterate, the average of all and of the later half, from a_0 = 1 on.

    With a_t = 1 / (t + 1) on x^2 / 2 x_t is x* less the mean of the first t noises, so that
    Cov(x_s, x_t) = 1 / max(s, t) and x_0 plays no part. from_start: averages include x_0.
    """
    n, rng = trial.pick(8_000, 80_000), trial.rng()
    run = kernel.start(np.full(n, START))
    first = run.p if from_start else 0.0
    sums = {"average of all": np.zeros(n) + first, "average of the later half": np.zeros(n)}
    counts = {"average of all": STEPS + from_start, "average of the later half": STEPS // 2}
    erring = 0.0
    for t in range(1, STEPS + 1):
        before, lr = run.p, 1 / t
        g = before - OPTIMUM + rng.standard_normal(n)
        x = run.step(g, lr=lr)
        # Factors 1 - 1 / s lie in [0, 1]: errors add up, in averages too.
        erring += rounding.of_step(kernel.u, before, x, lr, g)
        sums["average of all"] += x
        if t > STEPS // 2:
            sums["average of the later half"] += x
    found = {"last iterate": x} | {name: sums[name] / counts[name] for name in sums}
    level = trial.level / (len(found) * gaussian.moment_tests(1))
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for place, (name, values) in enumerate(found.items(), start=1):
        start = {"last iterate": STEPS, "average of all": 1}.get(name, STEPS // 2 + 1)
        due = _variance(start)
        C = np.array([[due]])
        centre = np.array([OPTIMUM])
        outcomes.append(gaussian.moments(values[:, None], centre, C, erring, level, name))
        low, high = gaussian.variance_band(due, n, erring, level)
        measured = float(np.mean((values - OPTIMUM) ** 2))
        points.append((place, STEPS * measured, STEPS * due, (STEPS * low, STEPS * high)))
    return Evidence.of(outcomes, points)


def _variance(start: int) -> float:
    """Of the average of x_start to x_T: the mean of 1 / max(s, t) over all pairs."""
    t = np.arange(start, STEPS + 1)
    return float(np.sum((2 * (t - start) + 1) / t)) / len(t) ** 2


SUFFIX_AVERAGING = Theorem(
    name="suffix_averaging",
    topic="stochastic",
    statement=(
        "With a_t = 1 / (l t) on a parabola of curvature l, T times the variance in units of "
        "(s / l)^2 tends to 1 for the last iterate, 2 for the average of all, 4 (1 - ln 2) = 1.227 "
        "for that of the later half; at finite T it is the mean of T / max(s, t) over all pairs."
    ),
    source=(
        "A. Rakhlin, O. Shamir, K. Sridharan, ICML 2012 (arXiv:1109.5647), for what the suffix "
        "saves; by the covariance of running means"
    ),
    subject=Subject("sgd"),
    constants={"T": STEPS, "l": 1.0, "s": 1.0},
    experiment=experiment,
    controls={
        "the average includes the start": partial(experiment, from_start=True),
        **spoilt(experiment, **{"steps 1.3 / t": longer(1.3)}),
    },
    axes=("last, all, later half", "T times the variance"),
    random=True,
    changed="the variance",
)
