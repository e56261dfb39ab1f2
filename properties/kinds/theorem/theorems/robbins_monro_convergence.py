"""Stochastic approximation converges under both conditions of Robbins and Monro."""

from types import ModuleType

import numpy as np
from scipy.special import bdtrik

from truestep.properties.kinds.theorem.theorems import gaussian
from truestep.properties.kinds.theorem.theorems.theorem import (
    FALSE_ALARM_PROBABILITY,
    Evidence,
    Step,
    Test,
    Theorem,
)
from truestep.reference.declared import Hyper
from truestep.reference.problems import quadratic
from truestep.reference.schedules import constant, exponential, power

START, STEPS, REPLICATES = 5.0, 256, 4_000
HARMONIC = power.Hyper(lr=2.0, shift=10.0, power=1.0)

# What the schedule satisfies decides where x^2 goes: to 0, to a distance never covered, to a floor.
SCHEDULES: dict[str, tuple[ModuleType, Hyper]] = {
    "both conditions": (power, HARMONIC),
    "sum a_t finite": (exponential, exponential.Hyper(lr=0.2, gamma=0.9)),
    "sum a_t^2 infinite": (constant, constant.Hyper(lr=0.2)),
}


def experiment(step: Step, seed: int, unit_roundoff: float) -> Evidence:
    """4,000 runs on x^2 / 2 with unit noise, per schedule; then rare kicks under 1 / sqrt(t)."""
    q = quadratic.Problem(np.eye(1), np.zeros(1), np.eye(1))
    x0 = np.array([START])
    snapshots = STEPS.bit_length()
    count = len(SCHEDULES) * snapshots * gaussian.moment_tests(1) + 1
    level = FALSE_ALARM_PROBABILITY / count
    tests, points = [], []
    for offset, (name, (module, h)) in enumerate(SCHEDULES.items()):
        steps = [float(module.value(h, t)) for t in range(STEPS)]
        exact = {m.t: m for m in quadratic.moments(q, x0, steps)}
        runs = gaussian.replicates(q, step, steps, x0, REPLICATES, seed + offset, unit_roundoff)
        for run in runs:
            m = exact[run.t]
            where = f"{name}, t = {run.t}"
            tests.append(gaussian.moments(run.x, m.mean, m.covariance, run.drift, level, where))
            if h is HARMONIC:
                bias, variance = float(m.mean[0]), float(m.covariance[0, 0])
                low, high = gaussian.variance_band(variance, REPLICATES, run.drift, level)
                measured = bias**2 + gaussian.coordinate(run.x - bias)
                band = bias**2 + low, bias**2 + high
                points.append((run.t, measured, bias**2 + variance, band))
    tests.append(_kicks(step, seed + len(SCHEDULES), level))
    return Evidence.of(tests, points, gaussian.resolution(REPLICATES, level))


def _kicks(step: Step, seed: int, level: float) -> Test:
    """Why (ii): noise of variance 1 that is +-sqrt(t) with probability 1 / t kicks x for ever.

    The steps 1 / sqrt(t) turn it into kicks of size 1. How many of n runs are kicked in (T / 2, T]
    is Binomial(n, 1/2) exactly, since the product of (1 - 1 / t) telescopes, for every even T: no
    run converges. With 1 / t the kicks shrink as 1 / sqrt(t).
    """
    rng = np.random.default_rng(seed)
    n = REPLICATES
    kicked = {0.5: np.zeros(n, bool), 1.0: np.zeros(n, bool)}
    x = {exponent: np.zeros(n) for exponent in kicked}
    for t in range(1, STEPS + 1):
        chance = rng.uniform(-1, 1, n)
        noise = np.where(np.abs(chance) < 1 / t, np.sign(chance) * np.sqrt(t), 0.0)
        for exponent, hit in kicked.items():
            lr = t**-exponent
            moved = step(lr, x[exponent], x[exponent] + noise)
            # The step without noise is (1 - lr) x: what is left over is the kick.
            if t > STEPS // 2:
                hit |= np.abs(moved - (1 - lr) * x[exponent]) > 0.5
            x[exponent] = moved
    if kicked[1.0].any():
        return np.inf, "kicks under 1 / t"
    # As many more as fewer than half: the binomial distribution is symmetric.
    allowed = n / 2 - float(np.ceil(bdtrik(level / 2, n, 0.5)))
    return abs(int(kicked[0.5].sum()) - n / 2) / allowed, "runs kicked under 1 / sqrt(t)"


ROBBINS_MONRO = Theorem(
    name="robbins_monro_convergence",
    statement=(
        "With sum a_t = inf and sum a_t^2 < inf SGD on a strongly convex f with noise of bounded "
        "variance converges; with a_t = 2 / (t + 10) on x^2 / 2 exactly as its recursion. With "
        "sum a_t < inf it stops short of x*, with a constant step it keeps the variance "
        "a / (2 - a), with a_t = 1 / sqrt(t) and rare large noise it is kicked for ever."
    ),
    source=(
        "H. Robbins, S. Monro, Ann. Math. Statist. 22, 1951; J. R. Blum, Ann. Math. Statist. 25, "
        "1954, for almost sure convergence; Borel-Cantelli for the kicks"
    ),
    constants={
        "L": 1.0,
        "mu": 1.0,
        "variance": 1.0,
        "start": START,
        "steps": STEPS,
        "replicates": REPLICATES,
    },
    experiment=experiment,
    sabotage=lambda lr: 0.2 * float(np.sqrt(lr / 0.2)),
    control="steps of the order 1 / sqrt(t) where 1 / t is claimed",
    false_alarm_probability=FALSE_ALARM_PROBABILITY,
    axes=("t", "E (x_t - x*)^2 with a_t = 2 / (t + 10)"),
)
