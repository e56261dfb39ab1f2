"""Gradient descent converges linearly, mode by mode exactly, and attains its worst case."""

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    equal,
    spoilt,
)
from truestep.reference.problems import huber, quadratic

SPECTRUM, OPTIMUM = (0.5, 1.0, 8.0), (1.0, -2.0, 0.5)
STEPS, HUBER_STEPS, HUBER_L, HUBER_DISTANCE = 128, 20, 4.0, 2.0
# Away from 1, where dead zones and clipping of fixed sizes show.
SCALES = (2.0**-40, 1.0, 2.0**20)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """128 steps of 2 / (L + mu) on a rotated quadratic, then 20 steps of 1 / L on Huber's function.

    The quadratic at three scales of x and x*. Equalities, so the allowance is rounding alone.
    """
    found = [_modes(kernel, scale) for scale in SCALES]
    tests = [test for made, _ in found for test in made]
    return Evidence.of([*tests, _worst_case(kernel)], found[SCALES.index(1.0)][1])


def _modes(kernel: Kernel, scale: float) -> tuple[list[Outcome], list[Point]]:
    """Each mode contracts by 1 - a lambda a step, and so do earlier roundings."""
    optimum = scale * np.array(OPTIMUM)
    q = quadratic.with_spectrum(SPECTRUM, (1.0, 1.0, 1.0), tuple(optimum), seed=3)
    spectrum, U = np.linalg.eigh(q.H)
    L, mu = float(spectrum[-1]), float(spectrum[0])
    lr, rate = 2 / (L + mu), (L - mu) / (L + mu)
    # Equal weight on the slowest and the fastest mode: there the bound on the norm is an equality.
    start = optimum + scale * U @ np.array([1.0, 0.5, 1.0])
    run = kernel.start(start, lr=lr)
    c0 = U.T @ (run.p - optimum)
    drift, tests, points = 0.0, list[Outcome](), list[Point]()
    for t in range(1, STEPS + 1):
        g = quadratic.gradient(q, run.p)
        before, x = run.p, run.step(g)
        # d products make a coordinate of the float64 gradient, in units of its own roundoff.
        largest = float(np.abs(before).max()) + 2 * scale
        own_gradient = 2.0**-53 * 12 * lr * L * np.sqrt(3) * largest
        erring = rounding.of_step(kernel.u, before, x, lr, g) + own_gradient
        drift = rate * drift + float(np.sqrt(3) * erring)
        exact = (1 - lr * spectrum) ** t * c0
        # The exact modes, computed in float64, err by t roundings and those of the eigenvectors.
        own = 2.0**-53 * 64 * scale * (2 + (t + 1) * rate**t)
        gap = float(np.abs(U.T @ (x - optimum) - exact).max())
        name = f"scale {scale:.3g}, t = {t}: modes (1 - a lambda)^t"
        tests.append(Outcome(gap / (drift + own), name, 2 * (drift + own) / (rate**t * scale)))
        if t & (t - 1) == 0:
            distance = float(np.linalg.norm(exact))
            band = max(distance - drift - own, 0.0), distance + drift + own
            points.append((t, float(np.linalg.norm(x - optimum)), distance, band))
    return tests, points


def _worst_case(kernel: Kernel) -> Outcome:
    """f(x_k) = L D^2 / (4 k + 2) on the Huber function with its kink at D / (2 k + 1)."""
    f = huber.Problem(L=HUBER_L, r=HUBER_DISTANCE / (2 * HUBER_STEPS + 1))
    run = kernel.start(np.array([HUBER_DISTANCE]), lr=1 / HUBER_L)
    for _ in range(HUBER_STEPS):
        run.step(huber.gradient(f, run.p))
    want = HUBER_L * HUBER_DISTANCE**2 / (4 * HUBER_STEPS + 2)
    # x never exceeds D, f's slope L r; 5 roundings a step, as above, and 8 in f and this formula.
    slope = HUBER_L * f.r
    allowed = slope * HUBER_STEPS * 5 * kernel.u * HUBER_DISTANCE + 2.0**-53 * 8 * want
    got = float(huber.value(f, run.p)[0])
    return equal("worst case L D^2 / (4 k + 2)", got, want, allowed)


GRADIENT_DESCENT_RATE = Theorem(
    name="gradient_descent_rate",
    topic="deterministic",
    statement=(
        "Gradient descent of step 2 / (L + mu) on a quadratic contracts the mode of eigenvalue l "
        "by exactly |1 - 2 l / (L + mu)| <= (L - mu) / (L + mu) a step; of step 1 / L it attains "
        "f(x_k) - f* = L |x_0 - x*|^2 / (4 k + 2) on a Huber function."
    ),
    source=(
        "Y. Nesterov, Lectures on Convex Optimization, 2018, theorem 2.1.15; Y. Drori, "
        "M. Teboulle, Math. Program. 145, 2014, theorem 3.2"
    ),
    subject=Subject("sgd", formats=("bfloat16", "float32", "float64")),
    constants={"L": 8.0, "mu": 0.5, "steps": STEPS, "huber_steps": HUBER_STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment, **{"the step 2.2 / (L + mu), beyond the stability limit 2 / L": longer(1.1)}
    ),
    axes=("t", "distance to the optimum"),
    changed="the distance to the optimum",
)
