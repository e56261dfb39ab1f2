"""Gradient descent converges linearly, mode by mode exactly, and attains its worst case."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.theorem import Evidence, Step, Test, Theorem
from truestep.reference.problems import huber, quadratic

SPECTRUM = (0.5, 1.0, 8.0)
STEPS, HUBER_STEPS, HUBER_L, HUBER_DISTANCE = 128, 20, 4.0, 2.0


def experiment(step: Step, seed: int, unit_roundoff: float) -> Evidence:
    """128 steps of 2 / (L + mu) on a rotated quadratic, then 20 steps of 1 / L on Huber's function.

    Equalities, so the allowance is rounding alone: u (|p| + |p'| + 3 lr |g|) a coordinate and step,
    what the float64 gradient here adds within the 3, carried on by the contraction.
    """
    q = quadratic.with_spectrum(SPECTRUM, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), seed=3)
    spectrum, U = np.linalg.eigh(q.H)
    L, mu = float(spectrum[-1]), float(spectrum[0])
    lr, rate = 2 / (L + mu), (L - mu) / (L + mu)
    # Equal weight on the slowest and the fastest mode: there the bound on the norm is an equality.
    c0 = np.array([1.0, 0.5, 1.0])
    x, drift, tests, points = U @ c0, 0.0, list[Test](), []
    for t in range(1, STEPS + 1):
        g = quadratic.gradient(q, x)
        before, x = np.abs(x).max(), step(lr, x, g)
        # d products make a coordinate of the float64 gradient, in units of its own roundoff.
        rounding = unit_roundoff * (before + np.abs(x).max() + 3 * lr * np.abs(g).max())
        rounding += 2.0**-53 * 12 * lr * L * np.sqrt(3) * before
        drift = rate * drift + float(np.sqrt(3) * rounding)
        exact = (1 - lr * spectrum) ** t * c0
        # The exact modes, computed in float64, err by t roundings and those of the eigenvectors.
        own = 2.0**-53 * 64 * (t + 1) * rate**t
        deviation = np.abs(U.T @ x - exact).max() / (drift + own)
        tests.append((float(deviation), f"t = {t}: modes (1 - a lambda)^t"))
        if t & (t - 1) == 0:
            distance = float(np.linalg.norm(exact))
            band = max(distance - drift - own, 0.0), distance + drift + own
            points.append((t, float(np.linalg.norm(x)), distance, band))
    return Evidence.of([*tests, _worst_case(step, unit_roundoff)], points)


def _worst_case(step: Step, unit_roundoff: float) -> Test:
    """f(x_k) = L D^2 / (4 k + 2) on the Huber function with its kink at D / (2 k + 1)."""
    f = huber.Problem(L=HUBER_L, r=HUBER_DISTANCE / (2 * HUBER_STEPS + 1))
    x = np.array([HUBER_DISTANCE])
    for _ in range(HUBER_STEPS):
        x = step(1 / HUBER_L, x, huber.gradient(f, x))
    want = HUBER_L * HUBER_DISTANCE**2 / (4 * HUBER_STEPS + 2)
    # x never exceeds D, f's slope L r; 5 roundings a step, as above, and 8 in f and this formula.
    slope = HUBER_L * f.r
    allowed = slope * HUBER_STEPS * 5 * unit_roundoff * HUBER_DISTANCE + 2.0**-53 * 8 * want
    return float(abs(huber.value(f, x)[0] - want) / allowed), "worst case L D^2 / (4 k + 2)"


GRADIENT_DESCENT_RATE = Theorem(
    name="gradient_descent_rate",
    statement=(
        "Gradient descent of step 2 / (L + mu) on a quadratic contracts the mode of eigenvalue l "
        "by exactly |1 - 2 l / (L + mu)| <= (L - mu) / (L + mu) a step; of step 1 / L it attains "
        "f(x_k) - f* = L |x_0 - x*|^2 / (4 k + 2) on a Huber function."
    ),
    source=(
        "Y. Nesterov, Lectures on Convex Optimization, 2018, theorem 2.1.15; Y. Drori, "
        "M. Teboulle, Math. Program. 145, 2014, theorem 3.2"
    ),
    constants={"L": 8.0, "mu": 0.5, "steps": STEPS, "huber_steps": HUBER_STEPS},
    experiment=experiment,
    sabotage=lambda lr: 1.1 * lr,
    control="the step 2.2 / (L + mu) lies beyond the stability limit 2 / L",
    false_alarm_probability=0.0,
    axes=("t", "distance to the optimum"),
)
