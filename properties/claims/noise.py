"""Claims about the noise of mini-batches, and about scaling with their size."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np

from truestep.properties.claims.claim import Claim, Drawing, Found, near
from truestep.reference.problems import least_squares, quadratic
from truestep.reference.validation import Array


def _isotropic(seed: int) -> Found:
    """Every example twice, with residuals +1 and -1: the noise at the optimum is H, exactly."""
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((40, 6)) * np.geomspace(0.1, 1, 6)
    A, residual = np.vstack([half, half]), np.repeat([1.0, -1.0], 40)
    optimum = rng.standard_normal(6)
    q = least_squares.Problem(A, A @ optimum + residual)
    noise = least_squares.batch_covariance(q, optimum, 1, replacement=True)
    H = A.T @ A / len(A)
    spectrum = np.linalg.eigvalsh(H)
    of_noise = np.linalg.eigvalsh(noise)
    a = 0.02
    iterates = quadratic.stationary_covariance(quadratic.Problem(H, optimum, noise), a)
    spread = np.linalg.eigvalsh(iterates)
    drawing = Drawing("Least squares at the optimum, by the eigenvalues of H", "eigenvalue of H",
                      "variance along it")  # fmt: skip
    drawing.line("gradient's noise", "measured", spectrum, of_noise)
    drawing.line("sigma^2 lambda", "exact", spectrum, spectrum)
    drawing.line("iterates at a constant step", "control", spectrum, a / (2 - a * spectrum))
    ratio = float(of_noise[-1] / of_noise[0])
    return Found(
        claimed=ratio < 1.01,
        corrected=near(of_noise, spectrum, 1e-9),
        control=float(spread[-1] / spread[0]) < 1.05,
        numbers={"largest over least variance, gradient": ratio,
                 "of the iterates": float(spread[-1] / spread[0])},
        chart=drawing.done(),
    )  # fmt: skip


def _batch_variance(seed: int) -> Found:
    """All batches of seven examples, with replacement and without, and their mean's variance."""
    examples = np.random.default_rng(seed).standard_normal(7)
    single = float(np.var(examples))
    sizes = np.arange(1, 5)
    drawn, chosen = [], []
    for B in sizes:
        drawn.append(np.var([np.mean(b) for b in product(examples, repeat=int(B))]))
        chosen.append(np.var([np.mean(b) for b in combinations(examples, int(B))]))
    due = single / sizes
    without = due * (7 - sizes) / 6
    drawing = Drawing("Variance of a mini-batch's mean, of all batches of 7", "B", "variance")
    drawing.line("1/B", "exact", sizes, due)
    drawing.line("with replacement", "measured", sizes, np.array(drawn))
    drawing.line("without", "control", sizes, np.array(chosen))
    return Found(
        claimed=near(chosen, due, 1e-9),
        in_part=near(drawn, due, 1e-9),
        corrected=near(drawn, due, 1e-9) and near(chosen, without, 1e-9),
        control=not near(chosen[1:], due[1:], 1e-3),
        numbers={"with replacement, B = 4, of 1/B": float(drawn[-1] / due[-1]),
                 "without": float(chosen[-1] / due[-1])},
        chart=drawing.done(),
    )  # fmt: skip


def _stationary(a: Array, noise: Array, rate: float = 1.0) -> Array:
    """The variance that the recursion v -> (1 - a rate)^2 v + a^2 noise comes to, by running it."""
    v = np.zeros(np.broadcast(a, noise).shape)
    for _ in range(4000):
        v = np.minimum((1 - a * rate) ** 2 * v + a * a * noise, 1e300)
    return v


def _linear_scaling(_: int) -> Found:
    """B -> k B with a -> k a on x^2 / 2: the variance it comes to, over that of k = 1."""
    a, k = 0.02, np.array([1.0, 2, 4, 8, 16, 32, 64, 90, 99])
    got = _stationary(k * a, 1 / k) / _stationary(np.array(a), np.array(1.0))
    due = (2 - a) / (2 - k * a)
    drift = np.abs((1 - a) ** k - (1 - k * a))
    beyond = _stationary(np.array(101 * a), np.array(1 / 101))
    drawing = Drawing("k times the batch and the step", "k", "variance, of that at k = 1")
    drawing.line("(2 - a) / (2 - k a)", "exact", k, due)
    drawing.line("linear scaling", "measured", k, got)
    drawing.line("unchanged, as is claimed", "control", k, 1 + 0 * k)
    return Found(
        claimed=near(got, 1.0, 0.05),
        in_part=near(got[k * a < 0.1], 1.0, 0.05),
        corrected=near(got, due, 1e-9) and bool(np.all(drift <= k * (k - 1) * a * a / 2 + 1e-15)),
        control=float(beyond) > 1e50,
        numbers={"variance at k a = 1.98": float(got[-1]), "at k a = 0.08": float(got[2])},
        chart=drawing.done(),
    )


def _sqrt_scaling(_: int) -> Found:
    """B -> k B with a -> sqrt(k) a: a step's variance is kept, what training comes to is not."""
    a, k = 0.02, np.array([1.0, 4, 16, 64, 256, 1024])
    of_step = (np.sqrt(k) * a) ** 2 / k / a**2
    got = _stationary(np.sqrt(k) * a, 1 / k) / _stationary(np.array(a), np.array(1.0))
    due = (2 - a) / (np.sqrt(k) * (2 - np.sqrt(k) * a))
    drawing = Drawing("k times the batch, sqrt(k) times the step", "k", "of that at k = 1")
    drawing.line("variance that is come to", "measured", k, got)
    drawing.line("(2 - a) / (sqrt(k) (2 - sqrt(k) a))", "exact", k, due)
    drawing.line("variance of a step", "control", k, of_step)
    return Found(
        claimed=near(got, 1.0, 0.05),
        in_part=near(of_step, 1.0, 1e-12),
        corrected=near(got, due, 1e-9),
        control=near(of_step, 1.0, 1e-12),
        numbers={"variance at k = 16": float(got[2]), "of a step": float(of_step[2])},
        chart=drawing.done(),
    )


def _plateau(_: int) -> Found:
    """The variance that a constant step comes to, by the recursion, at many curvatures."""
    a, rates = 0.5, np.array([0.05, 0.1, 0.2, 0.5, 1.0, 2.0])
    got = np.array([_stationary(np.array(a), np.array(1.0), rate) for rate in rates])
    due, claimed = a / (rates * (2 - a * rates)), a / (2 - a * rates)
    drawing = Drawing("A constant step of 0.5, noise 1", "curvature", "variance")
    drawing.line("recursion", "measured", rates, got)
    drawing.line("a s^2 / (lambda (2 - a lambda))", "exact", rates, due)
    drawing.line("a s^2 / (2 - a lambda)", "control", rates, claimed)
    return Found(
        claimed=near(got, claimed, 0.01),
        in_part=near(got[rates == 1], claimed[rates == 1], 1e-9),
        corrected=near(got, due, 1e-9),
        control=not near(got[rates != 1], claimed[rates != 1], 0.2),
        numbers={"variance at curvature 0.05": float(got[0]), "claimed": float(claimed[0])},
        chart=drawing.done(),
    )


CLAIMS = {
    "batch_variance": Claim(
        "The variance of a mini-batch's gradient is 1/B of an example's.",
        "With replacement. Without, it is (1/B) (N - B)/(N - 1), and 0 for the whole.",
        "W. G. Cochran, Sampling Techniques, theorem 2.2",
        _batch_variance,
    ),
    "isotropic_noise": Claim(
        "The noise of stochastic gradients is isotropic.",
        "Of least squares it is sigma^2 H / B at the optimum. It is the iterates that become "
        "nearly isotropic, with variance a sigma^2 / (2 - a lambda).",
        "S. Mandt, M. Hoffman, D. Blei, JMLR 18, 2017",
        _isotropic,
    ),
    "linear_scaling": Claim(
        "With k times the batch and k times the step, training is the same.",
        "Means contract by (1 - k a lambda) in the place of (1 - a lambda)^k, and the variance is "
        "(2 - a lambda)/(2 - k a lambda) times as large: the same while k a lambda is small, and "
        "without bound at 2.",
        "P. Goyal et al., arXiv:1706.02677; exact moments of SGD on a quadratic",
        _linear_scaling,
    ),
    "plateau_variance": Claim(
        "A constant step a comes to the variance a sigma^2 / (2 - a L).",
        "To a sigma^2 / (lambda (2 - a lambda)) in a direction of curvature lambda, and the loss "
        "to half of lambda times that, summed.",
        "exact moments of SGD on a quadratic",
        _plateau,
    ),
    "square_root_scaling": Claim(
        "With k times the batch and sqrt(k) times the step, training is the same.",
        "The variance of a step is. What training comes to has 1/sqrt(k) of the variance, and an "
        "example moves the mean by 1/sqrt(k) as far.",
        "A. Krizhevsky, arXiv:1404.5997; exact moments of SGD on a quadratic",
        _sqrt_scaling,
    ),
}
