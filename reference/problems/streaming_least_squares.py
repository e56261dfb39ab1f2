"""streaming_least_squares: a fresh Gaussian example at every step, noise that grows with the error.

Rule
    f(x) = E (a'x - y)^2 / 2,    a ~ N(0, H),    y = a'x* + s e,    e ~ N(0, 1)
    gradient of a batch of B: mean of a (a'(x - x*) - s e); in the eigenbasis of H, with d = x - x*,
    its covariance is ((d'Hd) H + H d d' H + s^2 H) / B
    SGD has, for M_t = E d d' and constant step a,
    M_{t+1} = M - a (H M + M H) + a^2 ((B + 1) / B H M H + tr(H M) H / B + s^2 H / B)

Constants
    L, mu: the largest and smallest eigenvalue of H; minimum s^2 / 2 at x*; G = inf. At B = 1 the
    second moment is stable below stability_limit, far below 2 / L.

Sources
    by Isserlis' theorem for the fourth moments; B. Widrow, J. McCool, "A Comparison of Adaptive
    Algorithms Based on the Methods of Steepest Descent and Random Search", IEEE Trans. Antennas
    Propag. 24, 1976, for the limit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Problem:
    """spectrum: the eigenvalues of a diagonal H; optimum: d; noise: s, of the responses."""

    spectrum: Array
    optimum: Array
    noise: float


def value(q: Problem, x: Array) -> Array:
    """f at each row of x."""
    return np.sum(q.spectrum * (x - q.optimum) ** 2, axis=-1) / 2 + q.noise**2 / 2


def gradient(q: Problem, x: Array) -> Array:
    """The exact gradient at each row of x."""
    return q.spectrum * (x - q.optimum)


def sampled_gradient(q: Problem, x: Array, batch: int, rng: np.random.Generator) -> Array:
    """At each row of x the mean gradient of a batch of its own."""
    a = rng.standard_normal((batch, *x.shape)) * np.sqrt(q.spectrum)
    residual = np.sum(a * (x - q.optimum), axis=-1) - q.noise * rng.standard_normal((batch, len(x)))
    return np.mean(a * residual[..., None], axis=0)


def second_moments(q: Problem, start: Array, steps: Sequence[float], batch: int) -> Iterator[Array]:
    """E (x_t - x*)(x_t - x*)' from x_0 = start after each of the steps."""
    H, d = np.diag(q.spectrum), start - q.optimum
    M = np.outer(d, d)
    for a in steps:
        fourth = (batch + 1) / batch * H @ M @ H + np.trace(H @ M) * H / batch
        M = M - a * (H @ M + M @ H) + a**2 * (fourth + q.noise**2 * H / batch)
        yield M


def stability_limit(q: Problem, batch: int) -> float:
    """The constant step at which the second moment's recursion has spectral radius 1.

    The diagonal m of M obeys m' = (1 - 2 a l + a^2 l^2 (B + 1) / B) m + a^2 l (l'm) / B, and
    1 is an eigenvalue where sum l / (2 B / a - (B + 1) l) = 1, below the first pole.
    """
    low, high = 0.0, 2 * batch / ((batch + 1) * float(np.max(q.spectrum)))
    for _ in range(200):
        a = (low + high) / 2
        gap = 2 * batch / a - (batch + 1) * q.spectrum
        stable = bool(np.all(gap > 0)) and float(np.sum(q.spectrum / gap)) < 1
        low, high = (a, high) if stable else (low, a)
    return low


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G."""
    L, mu = float(np.max(q.spectrum)), float(np.min(q.spectrum))
    return Constants(q.optimum, q.noise**2 / 2, L=L, mu=mu, G=np.inf)
