"""SGD on quadratics with Gaussian noise: replicates, and exact two-sided tests of their moments."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, gammaincinv, ndtri

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import Outcome, worst
from truestep.reference.problems import quadratic
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Replicates after t steps.

    x, average: replicates x d, the iterate and the mean of all iterates so far. drift: a bound on
    how far rounding has moved any of them from where exact arithmetic would have it.
    """

    t: int
    x: Array
    average: Array
    drift: float


def replicates(
    q: quadratic.Problem,
    kernel: Kernel,
    steps: Sequence[float],
    x0: Array,
    count: int,
    rng: np.random.Generator,
) -> list[Snapshot]:
    """Snapshots at t = 1, 2, 4, ... of independent runs with the step sizes a_0, a_1, ...

    x0: one start, or one for each run.

    Roundings of earlier steps pass through I - lr H.
    """
    d = len(q.optimum)
    run = kernel.start(np.broadcast_to(x0, (count, d)))
    total, total_drift = np.zeros((count, d)), 0.0
    drift = float(np.abs(run.p - x0).max() * np.sqrt(d))
    snapshots = []
    for t, lr in enumerate(steps, start=1):
        before = run.p
        g = quadratic.noisy_gradient(q, before, rng.standard_normal((count, d)))
        x = run.step(g, lr=lr)
        norm = float(np.linalg.norm(np.eye(d) - lr * q.H, 2))
        drift = norm * drift + float(np.sqrt(d)) * rounding.of_step(kernel.u, before, x, lr, g)
        total, total_drift = total + x, total_drift + drift
        if t & (t - 1) == 0:
            snapshots.append(Snapshot(t, x, total / t, total_drift / t))
    return snapshots


def moment_tests(d: int) -> int:
    """How many tests `moments` makes: d means, d variances, one for each pair of coordinates."""
    return 2 * d + d * (d - 1) // 2


def moments(
    x: Array, mean: Array, covariance: Array, drift: float, level: float, name: str
) -> Outcome:
    """The worst test of the hypothesis that the rows of x are independent N(mean, covariance).

    Whitened rows have independent standard normal coordinates z: the root of n times a mean is
    standard normal, sums of z_i^2 and of (z_i + z_j)^2 / 2 are chi-square with n degrees of
    freedom. Each is tested on both sides at the given level. A drift of at most delta in every row
    of z moves the first by at most sqrt(n) delta, and so the root of the others, a norm of n
    numbers.
    """
    n, d = x.shape
    root = np.linalg.cholesky(covariance)
    with np.errstate(over="ignore", invalid="ignore"):
        z = np.linalg.solve(root, (x - mean).T).T
    slack = float(np.sqrt(n) * drift * np.linalg.norm(np.linalg.inv(root), 2))
    tests: list[Outcome] = []
    limit = -float(ndtri(level / 2)) + slack
    for i in range(d):
        deviation = abs(float(np.sqrt(n) * z[:, i].mean())) / limit
        tests.append(Outcome(deviation, f"{name}: mean of whitened coordinate {i}"))
    low, high = np.sqrt(_chi_squared_band(n, level))
    change = resolution(n, level) + 4 * slack / np.sqrt(n)
    for i in range(d):
        for j in range(i, d):
            y = z[:, i] if i == j else (z[:, i] + z[:, j]) / np.sqrt(2)
            gap = float(np.linalg.norm(y) - np.sqrt(n))
            allowed = float((high - np.sqrt(n) if gap > 0 else np.sqrt(n) - low) + slack)
            where = f"{name}: variance of coordinates {i}, {j}"
            tests.append(Outcome(abs(gap) / allowed, where, change))
    return worst(tests)._replace(change=change)


def _chi_squared_band(n: int, level: float) -> Array:
    """Between what the sum of n squares of N(0, 1) passes at this level."""
    return np.array([2 * gammaincinv(n / 2, level / 2), chdtri(n, level / 2)])


def variance_band(variance: float, n: int, drift: float, level: float) -> tuple[float, float]:
    """Between what the mean of n squares of N(0, variance) passes at this level."""
    low, high = np.sqrt(variance * _chi_squared_band(n, level) / n)
    return float(max(low - drift, 0.0)) ** 2, float(high + drift) ** 2


def resolution(n: int, level: float) -> float:
    """The relative change of a variance that n squares reveal with probability 0.99, about.

    The root of a mean of n squares has a standard deviation of about 1 / sqrt(2 n) of itself.
    """
    return -float((ndtri(level / 2) + ndtri(0.01)) * np.sqrt(2 / n))


def coordinate(values: Array, index: int = 0) -> float:
    """The mean square of one coordinate."""
    return float(np.mean(values[:, index] ** 2))
