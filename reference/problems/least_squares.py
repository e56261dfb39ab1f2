"""least_squares: a finite sum of squared residuals with sampled gradients.

Rule
    f(x) = |A x - y|^2 / (2 n),    g_i(x) = a_i (a_i' x - y_i),    grad f = mean_i g_i
    A batch of B rows drawn with replacement has gradient covariance V / B, without replacement
    V / B (n - B) / (n - 1), where V = mean_i g_i g_i' - grad f grad f'.

Constants
    L, mu: the largest and smallest eigenvalue of A'A / n; x* by the normal equations' solution of
    least norm; G = inf.

Sources
    L. Bottou, F. E. Curtis, J. Nocedal, "Optimization Methods for Large-Scale Machine Learning",
    SIAM Review 60, 2018 (arXiv:1606.04838), section 4.2. W. G. Cochran, "Sampling Techniques",
    theorem 2.2, for the factor (n - B) / (n - 1).
"""

from dataclasses import dataclass

import numpy as np

from truestep.reference.problems.constants import Constants
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Problem:
    """A: n x d, one example a row; y: n responses."""

    A: Array
    y: Array


def value(q: Problem, x: Array) -> Array:
    """f at x."""
    residual = q.A @ x - q.y
    return residual @ residual / (2 * len(q.y))


def gradient(q: Problem, x: Array) -> Array:
    """The gradient of f at x."""
    return q.A.T @ (q.A @ x - q.y) / len(q.y)


def sampled_gradients(q: Problem, x: Array) -> Array:
    """The n x d gradients of the single examples at x."""
    return q.A * (q.A @ x - q.y)[:, None]


def batch_covariance(q: Problem, x: Array, batch: int, replacement: bool) -> Array:
    """The covariance of the mean gradient of a random batch at x."""
    n = len(q.y)
    if not 1 <= batch <= n:
        raise ValueError(f"batch must lie in [1, {n}], got {batch!r}")
    g = sampled_gradients(q, x)
    centred = g - g.mean(axis=0)
    V = centred.T @ centred / n
    return V / batch if replacement else V / batch * (n - batch) / max(n - 1, 1)


def constants(q: Problem) -> Constants:
    """Optimum, minimum, L, mu and G."""
    spectrum = np.linalg.eigvalsh(q.A.T @ q.A / len(q.y))
    optimum = np.linalg.lstsq(q.A, q.y, rcond=None)[0]
    L, mu = float(spectrum[-1]), float(max(spectrum[0], 0.0))
    return Constants(optimum, float(value(q, optimum)), L=L, mu=mu, G=np.inf)
