"""Until a known time a constant step's error is bias, from then on variance."""

import numpy as np
from scipy.special import ndtri

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
from truestep.reference.problems import quadratic

LR, DISTANCE, OPTIMUM, STEPS = 0.05, 3.0, -1.0, 64


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The squared mean and the variance of runs from 3 away, and when they cross.

    Wherever the exact ratio of the two is beyond what the samples may miss, the measured ratio has
    to lie on the same side of 1; so the measured crossing lies between such times.
    """
    n = trial.pick(10_000, 100_000)
    rng, run = trial.rng(), kernel.start(np.full(n, OPTIMUM + DISTANCE), lr=LR)
    q = quadratic.Problem(np.eye(1), np.array([OPTIMUM]), np.eye(1))
    exact = list(quadratic.moments(q, np.array([OPTIMUM + DISTANCE]), [LR] * STEPS))
    z = -float(ndtri(trial.level / (4 * STEPS))) / np.sqrt(n)
    outcomes: list[Outcome] = []
    points: list[Point] = []
    drift = 0.0
    for m in exact:
        before = run.p
        g = before - OPTIMUM + rng.standard_normal(n)
        after = run.step(g)
        drift = (1 - LR) * drift + rounding.of_step(kernel.u, before, after, LR, g)
        x = after - OPTIMUM
        bias, variance = float(m.mean[0]), float(m.covariance[0, 0])
        low, high = gaussian.variance_band(variance, n, drift, trial.level / (2 * STEPS))
        erring = z * np.sqrt(variance) + drift
        ratio = float(x.mean() ** 2 / x.var())
        band = max(bias - erring, 0.0) ** 2 / high, (bias + erring) ** 2 / low
        due = bias**2 / variance
        distance = np.log(ratio / due) / np.log(band[ratio > due] / due)
        name = f"t = {m.t}: squared bias over variance"
        outcomes.append(Outcome(float(distance), name, max(band) / due - 1))
        points.append((m.t, ratio, due, (float(band[0]), float(band[1]))))
    return Evidence.of([*outcomes, _crossed(points)], points)


def _crossed(points: list[Point]) -> Outcome:
    """The first time with more variance than bias, against ln(1 + D^2 / v) / (-2 ln(1 - a))."""
    v = LR / (2 - LR)
    due = np.log1p(DISTANCE**2 / v) / (-2 * np.log1p(-LR))
    first = next((t for t, ratio, *_ in points if ratio < 1), np.inf)
    earliest = next(t for t, _, _, (low, _) in points if low < 1)
    latest = next(t for t, _, _, (_, high) in points if high < 1)
    allowed = max(latest - due, due - earliest + 1)
    return Outcome(float(abs(first - due) / allowed), "the crossing", 2 * allowed / due)


CROSSING = Theorem(
    name="bias_variance_crossing",
    topic="stochastic",
    statement=(
        "From D away on l x^2 / 2 with noise of variance s^2 the squared bias of SGD with a "
        "constant step a is D^2 r^(2 t) and its variance v (1 - r^(2 t)), r = 1 - a l, v = a s^2 / "
        "(l (2 - a l)): they cross at t = ln(1 + D^2 / v) / (-2 ln r), after which a smaller step "
        "alone helps."
    ),
    source=(
        "by the recursion; N. Murata, in On-line Learning in Neural Networks, 1998, for the two "
        "phases"
    ),
    subject=Subject("sgd"),
    constants={"a": LR, "l": 1.0, "s": 1.0, "D": DISTANCE, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(experiment, steps_20_percent_too_long=longer(1.2)),
    axes=("t", "squared bias over variance"),
    random=True,
    changed="the ratio",
)
