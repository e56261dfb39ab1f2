"""quadratic: a quadratic bowl with additive gradient noise, on which every moment of SGD is exact.

Rule
    f(x) = (x - x*)' H (x - x*) / 2,    g(x) = H (x - x*) + xi,    E xi = 0, Cov xi = S
    SGD, x_{t+1} = x_t - a_t g(x_t), has
    mean:        m_{t+1} = (I - a_t H) m_t                             for m_t = E x_t - x*
    covariance:  C_{t+1} = (I - a_t H) C_t (I - a_t H) + a_t^2 S
    and, with X_t = C_t and the sum s_t = x_1 + ... + x_t of the iterates,
    D_{t+1} = D_t (I - a_t H) + C_{t+1},   D_t = Cov(s_t, x_t)
    Cov(s_{t+1}) = Cov(s_t) + K + K' + C_{t+1},   K = D_t (I - a_t H)

Constants
    L, mu: the largest and smallest eigenvalue of H; minimum 0 at x*; G = inf.
    At a constant step a, C_t tends to C with C_ij = a S_ij / (l_i + l_j - a l_i l_j) in the
    eigenbasis of H with eigenvalues l; for one dimension a s^2 / (l (2 - a l)).

Sources
    L. Bottou, F. E. Curtis, J. Nocedal, "Optimization Methods for Large-Scale Machine Learning",
    SIAM Review 60, 2018 (arXiv:1606.04838), section 4. B. Polyak, A. Juditsky, "Acceleration of
    Stochastic Approximation by Averaging", SIAM J. Control Optim. 30, 1992, for the linear case.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Problem:
    """H: symmetric, positive semidefinite, d x d; optimum: d; noise: the covariance S, d x d."""

    H: Array
    optimum: Array
    noise: Array


@dataclass(frozen=True, slots=True)
class Moments:
    """After t steps: mean of x_t - x*, covariance of x_t, covariance of (x_1 + ... + x_t) / t."""

    t: int
    mean: Array
    covariance: Array
    average_covariance: Array


def with_spectrum(
    spectrum: Sequence[float], noise: Sequence[float], optimum: Sequence[float], seed: int
) -> Problem:
    """H with these eigenvalues in a random orthonormal basis, S diagonal in another."""
    d = len(spectrum)
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    H = U @ np.diag(spectrum) @ U.T
    S = V @ np.diag(noise) @ V.T
    return Problem((H + H.T) / 2, np.asarray(optimum, np.float64), (S + S.T) / 2)


def value(q: Problem, x: Array) -> Array:
    """f at each row of x."""
    e = x - q.optimum
    return np.sum(e * (e @ q.H), axis=-1) / 2


def gradient(q: Problem, x: Array) -> Array:
    """The exact gradient at each row of x."""
    return (x - q.optimum) @ q.H


def noisy_gradient(q: Problem, x: Array, standard_normal: Array) -> Array:
    """The gradient with Gaussian noise of covariance S made of standard normal numbers."""
    return gradient(q, x) + standard_normal @ np.linalg.cholesky(q.noise).T


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G."""
    spectrum = np.linalg.eigvalsh(q.H)
    L, mu = float(spectrum[-1]), float(spectrum[0])
    return Constants(q.optimum, 0.0, L=L, mu=mu, G=np.inf)


def moments(q: Problem, x0: Array, steps: Iterable[float]) -> Iterator[Moments]:
    """The exact moments of SGD from x0 after each of the steps a_0, a_1, ..."""
    d = len(q.optimum)
    mean, C = x0 - q.optimum, np.zeros((d, d))
    sum_covariance, D = np.zeros((d, d)), np.zeros((d, d))
    for t, a in enumerate(steps, start=1):
        A = np.eye(d) - a * q.H
        mean = A @ mean
        C = A @ C @ A + a**2 * q.noise
        K = D @ A
        sum_covariance = sum_covariance + K + K.T + C
        D = K + C
        yield Moments(t, mean, C, sum_covariance / t**2)


def stationary_covariance(q: Problem, a: float) -> Array:
    """The limit of the covariance at the constant step a < 2 / L."""
    spectrum, U = np.linalg.eigh(q.H)
    if not 0 < a < 2 / spectrum[-1]:
        raise ValueError(f"a must lie in (0, 2 / L) = (0, {2 / spectrum[-1]:g}), got {a!r}")
    S = U.T @ q.noise @ U
    li, lj = spectrum[:, None], spectrum[None, :]
    return U @ (a * S / (li + lj - a * li * lj)) @ U.T


def asymptotic_covariance(q: Problem) -> Array:
    """H^-1 S H^-1, which t times the covariance of the averaged iterate tends to."""
    inverse = np.linalg.inv(q.H)
    return inverse @ q.noise @ inverse
