"""Problems: gradients, optima and constants against finite differences, enumeration and limits."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg

from truestep.reference import problems
from truestep.reference.problems import (
    PROBLEMS,
    absolute_value,
    hinge,
    huber,
    least_squares,
    logistic,
    polyak_lojasiewicz,
    quadratic,
    rosenbrock,
    streaming_least_squares,
)

U = 2.0**-53


def instances() -> list[tuple[str, Any, int]]:
    """One problem of every kind with its dimension."""
    rng = np.random.default_rng(5)
    A, y = rng.standard_normal((40, 3)), rng.standard_normal(40)
    return [
        ("absolute_value", absolute_value.Problem(3), 3),
        ("hinge", hinge.Problem(A, np.sign(y)), 3),
        ("huber", huber.Problem(L=3.0, r=0.25), 1),
        ("least_squares", least_squares.Problem(A, y), 3),
        ("logistic", logistic.Problem(A, np.sign(y), l2=0.1), 3),
        ("polyak_lojasiewicz", polyak_lojasiewicz.Problem(), 1),
        ("quadratic", quadratic.with_spectrum([0.5, 1, 4], [1, 2, 3], [1, -1, 2], seed=6), 3),
        ("rosenbrock", rosenbrock.Problem(), 2),
        (
            "streaming_least_squares",
            streaming_least_squares.Problem(np.array([0.5, 2.0]), np.array([1.0, -2.0]), 0.5),
            2,
        ),
    ]


ALL = pytest.mark.parametrize(("name", "q", "d"), instances(), ids=[n for n, _, _ in instances()])


def test_table_lists_every_module() -> None:
    """A problem's file without a line in PROBLEMS, or a line without a file, is named here."""
    folder = Path(next(iter(problems.__path__)))
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "constants"}
    assert list(PROBLEMS) == sorted(files)
    assert {name for name, _, _ in instances()} == files


@ALL
def test_gradient_is_the_derivative(name: str, q: Any, d: int) -> None:
    """Central differences agree to h^2 times the third derivative and the rounding over h."""
    rng, module, h = np.random.default_rng(7), PROBLEMS[name], 2.0**-17
    for _ in range(20):
        x = rng.standard_normal(d)
        for e in np.eye(d):
            ahead, behind = (float(np.sum(module.value(q, x + s * h * e))) for s in (1, -1))
            slope = (ahead - behind) / (2 * h)
            scale = 50 * (1 + abs(ahead))  # over every L, third derivative and value here
            assert abs(slope - module.gradient(q, x) @ e) <= scale * (h * h + 8 * U / h)


@ALL
def test_constants_bound_the_problem(name: str, q: Any, d: int) -> None:
    """mu |x-y|^2 <= (g(x)-g(y)).(x-y) <= L |x-y|^2, |g| <= G, f >= minimum."""
    rng, module = np.random.default_rng(8), PROBLEMS[name]
    c = module.constants(q)
    for _ in range(200):
        x, y = rng.standard_normal((2, d)) * 10.0 ** rng.uniform(-3, 1)
        gx, gy, square = module.gradient(q, x), module.gradient(q, y), (x - y) @ (x - y)
        slack = 100 * U * (1 + np.abs(gx).max()) * (1 + square)
        assert (gx - gy) @ (x - y) >= c.mu * square - slack
        assert (gx - gy) @ (x - y) <= c.L * square + slack
        assert np.linalg.norm(gx) <= c.G * (1 + 4 * U)
        assert float(np.sum(module.value(q, x))) >= c.minimum - slack
    at_optimum = float(np.sum(module.value(q, c.optimum)))
    assert abs(at_optimum - c.minimum) <= 4 * U * (1 + c.minimum)
    if name != "hinge":  # whose minimum lies at a kink
        # The optimum is known to about the condition number's roundings.
        assert np.abs(module.gradient(q, c.optimum)).max() <= 1000 * U


def test_quadratic_moments_tend_to_the_closed_forms() -> None:
    """At a constant step the covariance tends to the Lyapunov solution; so does the formula."""
    q = quadratic.with_spectrum([0.5, 1, 4], [1, 2, 3], [1, -1, 2], seed=9)
    a = 0.1
    *_, last = quadratic.moments(q, np.zeros(3), [a] * 2000)
    limit = quadratic.stationary_covariance(q, a)
    A = np.eye(3) - a * q.H
    lyapunov = scipy.linalg.solve_discrete_lyapunov(A, a * a * q.noise)
    scale = 1000 * U * np.abs(limit).max()  # 1 / (a mu) = 20 roundings accumulate, each of a few U
    assert np.abs(last.covariance - limit).max() <= scale
    assert np.abs(lyapunov - limit).max() <= scale
    one = quadratic.Problem(np.array([[2.0]]), np.zeros(1), np.array([[9.0]]))
    want = a * 9 / (2 * (2 - a * 2))
    assert abs(quadratic.stationary_covariance(one, a)[0, 0] - want) <= 8 * U * want
    with pytest.raises(ValueError, match=r"a must lie in \(0, 2 / L\).*got 1.5"):
        quadratic.stationary_covariance(one, 1.5)


@pytest.mark.parametrize("T", [1, 2, 5])
def test_quadratic_moments_equal_the_weights_of_the_noise(T: int) -> None:
    """Mean and covariances of x_T and of the average, from feeding SGD unit impulses of noise."""
    q = quadratic.with_spectrum([0.5, 4], [1, 3], [1, -1], seed=10)
    steps, x0 = [0.3 / (t + 1) for t in range(T)], np.array([2.0, 5.0])
    root = np.linalg.cholesky(q.noise)

    def run(noise: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        iterates = []
        for a, xi in zip(steps, noise, strict=True):
            x = x - a * (quadratic.gradient(q, x) + root @ xi)
            iterates.append(x)
        return x - q.optimum, np.mean(iterates, axis=0) - q.optimum

    *_, last = quadratic.moments(q, x0, steps)
    mean, _ = run(np.zeros((T, 2)), x0)
    assert np.abs(last.mean - mean).max() <= 50 * T * U
    C, average = np.zeros((2, 2)), np.zeros((2, 2))
    for t in range(T):
        for i in range(2):
            impulse = np.zeros((T, 2))
            impulse[t, i] = 1
            x, s = run(impulse, q.optimum)
            C, average = C + np.outer(x, x), average + np.outer(s, s)
    assert np.abs(last.covariance - C).max() <= 100 * T * U
    assert np.abs(last.average_covariance - average).max() <= 100 * T * U


@pytest.mark.parametrize("batch", range(1, 8))
def test_batch_covariance_by_enumeration(batch: int) -> None:
    """Without replacement, the covariance over all C(7, batch) subsets is the stated one."""
    rng = np.random.default_rng(11)
    q = least_squares.Problem(rng.standard_normal((7, 2)), rng.standard_normal(7))
    x = rng.standard_normal(2)
    g = least_squares.sampled_gradients(q, x)
    means = np.array([g[list(rows)].mean(axis=0) for rows in combinations(range(7), batch)])
    centred = means - least_squares.gradient(q, x)
    want = centred.T @ centred / len(means)
    got = least_squares.batch_covariance(q, x, batch, replacement=False)
    assert np.abs(got - want).max() <= 200 * U * (1 + np.abs(g).max() ** 2)
    with_replacement = least_squares.batch_covariance(q, x, batch, replacement=True)
    single = least_squares.batch_covariance(q, x, 1, replacement=True)
    assert np.abs(with_replacement - single / batch).max() == 0


@pytest.mark.parametrize("k", [1, 2, 5, 20, 100])
def test_huber_attains_the_worst_case_of_gradient_descent(k: int) -> None:
    """f(x_k) = L D^2 / (4 k + 2) for the kink at D / (2 k + 1), to the roundings of k steps."""
    L, D = 3.0, 2.0
    q = huber.Problem(L=L, r=D / (2 * k + 1))
    x = np.array(D)
    for _ in range(k):
        x = x - huber.gradient(q, x) / L
    want = L * D**2 / (4 * k + 2)
    # Each step errs by 3 roundings of at most D; f's slope is L r, so f by L r times that.
    assert abs(huber.value(q, x) - want) <= L * q.r * D * 3 * k * U + 8 * U * want


def test_constant_steps_on_absolute_values_alternate() -> None:
    """From within a of the optimum, steps of a dyadic size alternate between rho and rho - a."""
    q = absolute_value.Problem(1)
    x, a = np.array([1.6875]), 0.25
    seen = []
    for _ in range(20):
        x = x - a * absolute_value.gradient(q, x)
        seen.append(float(x[0]))
    assert seen[-4:] == [0.1875 - 0.25, 0.1875] * 2


def test_bad_problems_are_named() -> None:
    """Labels other than -1 and 1, a missing penalty and empty batches show the value."""
    A = np.ones((2, 1))
    with pytest.raises(ValueError, match="y must hold -1 and 1 only"):
        logistic.Problem(A, np.array([0.0, 1.0]), l2=0.1)
    with pytest.raises(ValueError, match="l2 must be > 0, got 0"):
        logistic.Problem(A, np.ones(2), l2=0.0)
    with pytest.raises(ValueError, match=r"batch must lie in \[1, 2\], got 3"):
        least_squares.batch_covariance(least_squares.Problem(A, np.ones(2)), np.ones(1), 3, True)


def test_the_constant_of_polyak_and_lojasiewicz_is_the_largest() -> None:
    """f'^2 >= 2 PL f on a fine grid, nearly with equality at one place."""
    q, x = polyak_lojasiewicz.Problem(), np.linspace(1e-3, 20, 200_001)
    ratio = polyak_lojasiewicz.gradient(q, x) ** 2 / (2 * polyak_lojasiewicz.value(q, x))
    assert ratio.min() >= polyak_lojasiewicz.PL * (1 - 8 * U)
    # The grid meets the minimum to 5e-5, and the ratio's second derivative there is below 10.
    assert ratio.min() <= polyak_lojasiewicz.PL + 10 * 5e-5**2
    assert 2 < x[ratio.argmin()] < 2.3


def test_streaming_moments_agree_with_samples_and_their_limit() -> None:
    """The covariance of the sampled gradient, and growth on either side of the stability limit."""
    q = streaming_least_squares.Problem(np.array([1.0, 2.0]), np.array([1.0, -1.0]), 0.5)
    rng, n, batch = np.random.default_rng(21), 200_000, 2
    x = np.tile([2.0, 0.5], (n, 1))
    g = streaming_least_squares.sampled_gradient(q, x, batch, rng)
    H, d = np.diag(q.spectrum), x[0] - q.optimum
    want = (d @ H @ d * H + H @ np.outer(d, d) @ H + 0.25 * H) / batch
    centred = g - streaming_least_squares.gradient(q, x[:1])
    products = centred[:, :, None] * centred[:, None, :]
    # Six standard errors of a mean, estimated from the sample.
    assert (np.abs(products.mean(axis=0) - want) <= 6 * products.std(axis=0) / np.sqrt(n)).all()
    limit = streaming_least_squares.stability_limit(q, 1)
    assert abs(limit - 4 / (9 + np.sqrt(17))) <= 8 * U
    quiet = streaming_least_squares.Problem(q.spectrum, q.optimum, 0.0)
    for factor, grows in ((0.99, False), (1.01, True)):
        steps = [factor * limit] * 4000
        *_, last = streaming_least_squares.second_moments(quiet, x[0], steps, 1)
        assert bool(np.trace(last) > 1) == grows
