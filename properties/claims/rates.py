"""Claims about rates of convergence, with and without noise."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from truestep.properties.claims.claim import Claim, Drawing, Found, near, slope
from truestep.reference.validation import Array


def _worst(steps: Array, momentum: str) -> Array:
    """The largest lambda x_k^2 / 2 over quadratics with 0 < lambda <= 1, from x_0 = 1, step 1."""
    rates = np.geomspace(1e-10, 1.0, 3000)
    x = before = np.ones_like(rates)
    found, wanted = [], set(steps.tolist())
    for k in range(int(steps[-1])):
        beta = {"none": 0.0, "heavy_ball": 0.9, "nesterov": k / (k + 3)}[momentum]
        y = x + beta * (x - before)
        at = y if momentum == "nesterov" else x
        x, before = y - rates * at, x
        if k + 1 in wanted:
            found.append(np.max(rates * x * x / 2))
    return np.array(found)


def _heavy_ball(_: int) -> Found:
    """The worst quadratic at each k: heavy ball goes as 1/k, Nesterov's method as 1/k^2."""
    k = np.array([100, 200, 400, 800, 1600, 3200])
    plain, heavy, nesterov = (_worst(k, m) for m in ("none", "heavy_ball", "nesterov"))
    kappa = 100.0
    best = (np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)
    a, beta = 4 / (np.sqrt(kappa) + 1) ** 2, best**2
    # With L = kappa and mu = 1, every mode's companion matrix has the radius sqrt(beta).
    radii = [
        np.max(np.abs(np.linalg.eigvals([[1 + beta - a * rate, -beta], [1.0, 0.0]])))
        for rate in np.linspace(1.5, kappa - 0.5, 50)
    ]
    drawing = Drawing("The worst quadratic with 0 < lambda <= L", "k", "f - minimum")
    # As descent with a / (1 - beta), once the momentum has come to its own.
    due = 0.1 / (4 * np.e * k)
    drawing.band("within a tenth of it", k, 0.9 * due, 1.1 * due)
    drawing.line("gradient descent", "bound", k, plain)
    drawing.line("heavy ball, 0.9", "measured", k, heavy)
    drawing.line("(1 - 0.9) / (4 e k)", "exact", k, due)
    drawing.line("Nesterov", "control", k, nesterov)
    found, other = slope(k, heavy), slope(k, nesterov)
    return Found(
        claimed=found < -1.9,
        corrected=near(heavy, due, 0.1) and near(radii, best, 1e-9),
        control=other < -1.9 and abs(slope(k, plain) + 1) < 0.05,
        numbers={"power of k, heavy ball": found, "Nesterov": other, "factor at kappa 100": best},
        chart=drawing.done(),
    )


def _expected_gap(m: Array, s: Array, slope_of_f: Array) -> Array:
    """E slope (1 - x) of x normal around m with deviation s, moved back into [-1, 1]."""
    low, high = (-1 - m) / s, (1 - m) / s
    inside = m * (norm.cdf(high) - norm.cdf(low)) - s * (norm.pdf(high) - norm.pdf(low))
    return slope_of_f * (1 - (inside - norm.cdf(low) + norm.sf(high)))


def _convex_sgd(_: int) -> Found:
    """Two lines of slope +-e on [-1, 1], which noise of deviation 1 hides for 1/e^2 steps.

    No method errs less in the worse of the two than 2 e Phi(-e sqrt(T)): it has T noisy slopes.
    """
    T = np.array([1e2, 1e3, 1e4, 1e5, 1e6])
    slopes, steps = np.geomspace(1e-5, 1, 201)[:, None], np.geomspace(1e-7, 10, 201)[None, :]
    tuned = []
    for n in T:
        gaps = _expected_gap(steps * n * slopes, steps * np.sqrt(n), slopes)
        tuned.append(np.min(np.max(gaps, axis=0)))
    z = np.linspace(0.1, 3, 500)
    least = np.max(2 * z * norm.cdf(-z)) / np.sqrt(T)
    exact = np.array([np.max(_quadratics(n)) for n in T])
    drawing = Drawing("Smooth convex functions, the best step for every T", "T", "f - minimum")
    drawing.line("SGD on two lines", "measured", T, np.array(tuned))
    drawing.line("least of any method", "exact", T, least)
    drawing.line("descent without noise, worst quadratic", "control", T, exact)
    found = slope(T, np.array(tuned))
    return Found(
        claimed=found < -0.95,
        corrected=abs(found + 0.5) < 0.01 and bool(np.all(np.array(tuned) >= least * (1 - 1e-3))),
        control=abs(slope(T, exact) + 1) < 0.01,
        numbers={"power of T": found, "without noise": slope(T, exact)},
        chart=drawing.done(),
    )


def _quadratics(n: float) -> Array:
    """lambda x_n^2 / 2 of gradient descent with step 1, for many lambda up to 1."""
    rates = np.geomspace(1e-8, 1.0, 4001)
    return rates * np.exp(2 * n * np.log1p(-np.minimum(rates, 1 - 1e-12))) / 2


def _distance(_: int) -> Found:
    """Steps b / (g + k) on c x^2 / 2, exactly: the bound nu / (g + k) is of f, not of |x|^2."""
    c, noise, gamma = 0.1, 1.0, 20.0
    b, x0 = 2 / c, 30.0
    k = np.arange(1, 20_001)
    second, first, values = x0**2, c * x0**2 / 2, []
    for a in b / (gamma + k):
        values.append(second)
        second = (1 - a * c) ** 2 * second + a * a * noise
    squares = np.array(values)
    nu = max(b**2 * c * noise / (2 * (b * c - 1)), (gamma + 1) * first)
    shown = k[np.unique(np.geomspace(1, k.size, 60).astype(int) - 1)]
    drawing = Drawing("Steps b / (g + k) on a strongly convex quadratic, c = 0.1", "k", "error")
    drawing.line("E |x - x*|^2", "measured", shown, squares[shown - 1])
    drawing.line("nu / (g + k)", "exact", shown, nu / (gamma + shown))
    drawing.line("2 nu / (c (g + k))", "bound", shown, 2 * nu / c / (gamma + shown))
    drawing.line("E f - minimum", "control", shown, c * squares[shown - 1] / 2)
    room = 1 + 1e-12
    gap = c * squares / 2 * (gamma + k) / nu
    return Found(
        claimed=bool(np.all(squares * (gamma + k) <= nu * room)),
        corrected=bool(np.all(squares * (gamma + k) <= 2 * nu / c * room)),
        control=bool(np.all(gap <= room)),
        in_part=bool(np.all(gap <= room)),
        numbers={"largest share of nu, |x|^2": float(np.max(squares * (gamma + k) / nu)),
                 "largest share of nu, f": float(np.max(gap))},
        chart=drawing.done(),
    )  # fmt: skip


CLAIMS = {
    "distance_bound": Claim(
        "With steps b/(g + t), E |x - x*|^2 <= nu / (g + t).",
        "That bounds the gap of f. The distance is within 2 nu / (c (g + t)), c the modulus of "
        "strong convexity.",
        "L. Bottou, F. E. Curtis, J. Nocedal, SIAM Review 60, 2018, theorem 4.7",
        _distance,
    ),
    "heavy_ball_rate": Claim(
        "On quadratics heavy ball improves the rate from O(1/t) to O(1/t^2).",
        "With fixed momentum both are O(1/t) on convex quadratics; O(1/t^2) is Nesterov's method. "
        "On strongly convex ones both are linear, (kappa - 1)/(kappa + 1) and "
        "(sqrt(kappa) - 1)/(sqrt(kappa) + 1).",
        "B. Polyak, USSR Comput. Math. Math. Phys. 4, 1964; Y. Nesterov, 1983",
        _heavy_ball,
    ),
    "smooth_convex_rate": Claim(
        "On smooth convex functions SGD converges at O(1/T).",
        "At O(L D^2 / T + sigma D / sqrt(T)), and no method does better than the second term. "
        "O(1/T) takes no noise, or interpolation, or strong convexity.",
        "A. Nemirovski, D. Yudin, 1983; G. Lan, Math. Program. 133, 2012",
        _convex_sgd,
    ),
}
