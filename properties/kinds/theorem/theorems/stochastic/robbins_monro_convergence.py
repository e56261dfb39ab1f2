"""Stochastic approximation converges under both conditions of Robbins and Monro."""

from types import ModuleType

import numpy as np
from scipy.special import bdtrik

from truestep.properties.kinds.theorem.theorems.controls import rate
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
from truestep.reference.declared import Hyper
from truestep.reference.problems import quadratic
from truestep.reference.schedules import constant, exponential, power

OPTIMUM, START, STEPS = 3.0, -2.0, 256
HARMONIC = power.Hyper(lr=2.0, shift=10.0, power=1.0)

# What the schedule satisfies decides where x goes: to x*, short of it, to a floor of noise.
SCHEDULES: dict[str, tuple[ModuleType, Hyper]] = {
    "both conditions": (power, HARMONIC),
    "sum a_t finite": (exponential, exponential.Hyper(lr=0.2, gamma=0.9)),
    "sum a_t^2 infinite": (constant, constant.Hyper(lr=0.2)),
}


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Runs on (x - 3)^2 / 2 with unit noise, per schedule; then rare kicks under 1 / sqrt(t)."""
    q = quadratic.Problem(np.eye(1), np.array([OPTIMUM]), np.eye(1))
    x0, n = np.array([START]), trial.pick(2_000, 40_000)
    level = trial.level / (len(SCHEDULES) * STEPS.bit_length() * gaussian.moment_tests(1) + 1)
    tests: list[Outcome] = []
    points: list[Point] = []
    for part, (name, (module, h)) in enumerate(SCHEDULES.items()):
        steps = [float(module.value(h, t)) for t in range(STEPS)]
        exact = {m.t: m for m in quadratic.moments(q, x0, steps)}
        for run in gaussian.replicates(q, kernel, steps, x0, n, trial.rng(part)):
            m = exact[run.t]
            centre, where = q.optimum + m.mean, f"{name}, t = {run.t}"
            tests.append(gaussian.moments(run.x, centre, m.covariance, run.drift, level, where))
            if h is HARMONIC:
                square, variance = float(m.mean[0]) ** 2, float(m.covariance[0, 0])
                low, high = gaussian.variance_band(variance, n, run.drift, level)
                measured = square + gaussian.coordinate(run.x - centre)
                points.append((run.t, measured, square + variance, (square + low, square + high)))
    tests.append(_kicks(kernel, n, trial.rng(len(SCHEDULES)), level))
    return Evidence.of(tests, points)


def _kicks(kernel: Kernel, n: int, rng: np.random.Generator, level: float) -> Outcome:
    """Why (ii): noise of variance 1 that is +-sqrt(t) with probability 1 / t kicks x for ever.

    The steps 1 / sqrt(t) turn it into kicks of size 1. How many of n runs are kicked in (T / 2, T]
    is Binomial(n, 1/2) exactly, since the product of (1 - 1 / t) telescopes, for every even T: no
    run converges. With 1 / t the kicks shrink as 1 / sqrt(t).
    """
    kicked = {0.5: np.zeros(n, bool), 1.0: np.zeros(n, bool)}
    runs = {exponent: kernel.start(np.full(n, OPTIMUM)) for exponent in kicked}
    for t in range(1, STEPS + 1):
        chance = rng.uniform(-1, 1, n)
        noise = np.where(np.abs(chance) < 1 / t, np.sign(chance) * np.sqrt(t), 0.0)
        for exponent, hit in kicked.items():
            lr, x = t**-exponent, runs[exponent].p
            moved = runs[exponent].step(x - OPTIMUM + noise, lr=lr)
            # Without noise the step is to x - lr (x - x*): what is left over is the kick.
            if t > STEPS // 2:
                hit |= np.abs(moved - (x - lr * (x - OPTIMUM))) > 0.5
    if kicked[1.0].any():
        return Outcome(np.inf, "kicks under 1 / t")
    # As many more as fewer than half: the binomial distribution is symmetric.
    allowed = n / 2 - float(np.ceil(bdtrik(level / 2, n, 0.5)))
    deviation = abs(int(kicked[0.5].sum()) - n / 2) / allowed
    return Outcome(deviation, "runs kicked under 1 / sqrt(t)")


ROBBINS_MONRO = Theorem(
    name="robbins_monro_convergence",
    topic="stochastic",
    statement=(
        "With sum a_t = inf and sum a_t^2 < inf SGD on a strongly convex f with noise of bounded "
        "variance converges; with a_t = 2 / (t + 10) on (x - 3)^2 / 2 exactly as its recursion. "
        "With sum a_t < inf it stops short of x*, with a constant step it keeps the variance "
        "a / (2 - a), with a_t = 1 / sqrt(t) and rare large noise it is kicked for ever."
    ),
    source=(
        "H. Robbins, S. Monro, Ann. Math. Statist. 22, 1951; J. R. Blum, Ann. Math. Statist. 25, "
        "1954, for almost sure convergence; Borel-Cantelli for the kicks"
    ),
    subject=Subject("sgd"),
    constants={"L": 1.0, "mu": 1.0, "variance": 1.0, "start": START, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "steps of the order 1 / sqrt(t) where 1 / t is claimed": rate(
                lambda lr, _: 0.2 * float(np.sqrt(lr / 0.2))
            )
        },
    ),
    axes=("t", "E (x_t - x*)^2 with a_t = 2 / (t + 10)"),
    random=True,
    changed="the variance",
)
