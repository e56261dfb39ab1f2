"""Lookahead lowers the floor of a constant step, by a factor that is known."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, Run
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
from truestep.reference.validation import Array

# lr = A: of k inner steps from the slow weights, the slow weights go ALPHA of the way.
A, K, ALPHA, ROUNDS = 0.25, 5, 0.5, 8
SPECTRUM, NOISE, OPTIMUM = np.array([0.5, 2.0]), np.array([1.0, 3.0]), np.array([3.0, -2.0])
BASIS = np.array([[0.6, -0.8], [0.8, 0.6]])
PROBLEM = quadratic.Problem(
    BASIS @ np.diag(SPECTRUM) @ BASIS.T, OPTIMUM, BASIS @ np.diag(NOISE) @ BASIS.T
)


def factor() -> Array:
    """The floor of the slow weights over that of SGD, mode by mode."""
    rho = 1 - A * SPECTRUM
    own = ALPHA**2 * (1 - rho ** (2 * K))
    return own / (own + 2 * ALPHA * (1 - ALPHA) * (1 - rho**K))


def floor() -> Array:
    """The stationary covariance of the slow weights."""
    plain = A * NOISE / (SPECTRUM * (2 - A * SPECTRUM))
    return BASIS @ np.diag(factor() * plain) @ BASIS.T


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Runs that start in the stationary distribution stay in it, round after round."""
    n, rng, covariance = trial.pick(4_000, 60_000), trial.rng(), floor()
    level = trial.level / (ROUNDS.bit_length() * gaussian.moment_tests(2))
    start = OPTIMUM + rng.standard_normal((n, 2)) @ np.linalg.cholesky(covariance).T
    run, drift = kernel.start(start, lr=A), 0.0
    drift = float(np.abs(run.p - start).max() * np.sqrt(2))
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, ROUNDS + 1):
        drift = _round(kernel, run, rng, drift)
        if t & (t - 1):
            continue
        x = run.p
        tests.append(gaussian.moments(x, OPTIMUM, covariance, drift, level, f"round {t}"))
        due = float(covariance[0, 0])
        band = gaussian.variance_band(due, n, drift, level)
        points.append((t, gaussian.coordinate(x - OPTIMUM), due, band))
    return Evidence.of(tests, points)


def _round(kernel: Kernel, run: Run, rng: np.random.Generator, drift: float) -> float:
    """K inner steps and the slow one; how far rounding has moved the slow weights after it.

    Every step errs by u (|p| + |p'| + 3 lr |g|), the slow one by u |p'|.
    """
    slow, inner = run.p, drift
    norm = float(np.abs(1 - A * SPECTRUM).max())
    for _ in range(K):
        before = run.p
        g = quadratic.noisy_gradient(PROBLEM, before, rng.standard_normal(before.shape))
        x = run.step(g)
        size = np.abs(before).max() + np.abs(x).max() + 3 * A * np.abs(g).max()
        inner = norm * inner + float(np.sqrt(2) * kernel.u * size)
    run.put(slow + ALPHA * (run.p - slow))
    own = float(np.sqrt(2) * kernel.u * np.abs(run.p).max())
    return (1 - ALPHA) * drift + ALPHA * inner + own


LOOKAHEAD_VARIANCE = Theorem(
    name="lookahead_variance",
    topic="stochastic",
    statement=(
        "On a quadratic with additive noise Lookahead's slow weights have the stationary variance "
        "w V of each mode, V = a s^2 / (l (2 - a l)) that of SGD and, with r = 1 - a l, "
        "w = A^2 (1 - r^2k) / (A^2 (1 - r^2k) + 2 A (1 - A) (1 - r^k)) < 1, exactly."
    ),
    source="M. Zhang, J. Lucas, G. Hinton, J. Ba, NeurIPS 2019 (arXiv:1907.08610), proposition 2",
    subject=Subject("sgd"),
    constants={"a": A, "k": K, "A": ALPHA, "w_slow_mode": float(factor()[0])},
    experiment=experiment,
    controls=spoilt(experiment, **{"inner steps half as long again": longer(1.5)}),
    axes=("round", "variance of the first coordinate"),
    random=True,
    changed="the variance",
)
