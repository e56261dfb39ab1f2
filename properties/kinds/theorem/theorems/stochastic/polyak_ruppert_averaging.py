"""Averaging makes slow steps optimal: the covariance H^-1 S H^-1 / t of Polyak and Ruppert."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import rate
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
from truestep.reference.schedules import power

SPECTRUM, NOISE, OPTIMUM = (1.0, 4.0), (1.0, 3.0), (1.0, -2.0)
SCHEDULE = power.Hyper(lr=0.4, shift=1.0, power=0.7)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Mean and covariance of the average of runs from the optimum."""
    q = quadratic.with_spectrum(SPECTRUM, NOISE, OPTIMUM, seed=2)
    count, n = trial.pick(256, 4_096), trial.pick(2_000, 8_000)
    steps = [float(power.value(SCHEDULE, t)) for t in range(count)]
    exact = {m.t: m for m in quadratic.moments(q, q.optimum, steps)}
    runs = gaussian.replicates(q, kernel, steps, q.optimum, n, trial.rng())
    level = trial.level / (len(runs) * gaussian.moment_tests(2))
    tests, points = [], []
    for run in runs:
        C = exact[run.t].average_covariance
        name = f"t = {run.t}"
        tests.append(gaussian.moments(run.average, q.optimum, C, run.drift, level, name))
        measured = run.t * gaussian.coordinate(run.average - q.optimum)
        low, high = gaussian.variance_band(float(C[0, 0]), n, run.drift, level)
        points.append((run.t, measured, run.t * float(C[0, 0]), (run.t * low, run.t * high)))
    return Evidence.of(tests, points)


def _too_short(lr: float, t: int) -> float:
    """0.4 / t in the place of lr = 0.4 / t^0.7, which averaging does not repair."""
    return lr / float(np.power(t + 1, 1 - SCHEDULE.power))


POLYAK_RUPPERT = Theorem(
    name="polyak_ruppert_averaging",
    topic="stochastic",
    statement=(
        "With a_t = c t^-p, 1/2 < p < 1, the average of the iterates has t Cov -> H^-1 S H^-1, "
        "whatever c; on a quadratic the covariance at every t is that of an exact recursion."
    ),
    source=(
        "B. T. Polyak, A. B. Juditsky, SIAM J. Control Optim. 30, 1992, theorem 1; D. Ruppert, "
        "Technical Report 781, Cornell, 1988"
    ),
    subject=Subject("sgd"),
    constants={"L": 4.0, "mu": 1.0, "c": 0.4, "p": 0.7},
    experiment=experiment,
    controls=spoilt(experiment, **{"steps 0.4 / t in the place of 0.4 / t^0.7": rate(_too_short)}),
    axes=("t", "t times the variance of the average's first coordinate"),
    random=True,
    changed="the average's variance",
)
