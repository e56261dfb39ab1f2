"""Schedule-Free SGD reaches the rate of the best schedule without one."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer, rate
from truestep.properties.kinds.theorem.theorems.drift import Drift
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    spoilt,
)
from truestep.reference.validation import Array

BETA = 0.9
OPTIMUM = np.array([3.0, -2.0, 0.5])
START = np.array([2.0, -1.5, 2.5])
SLOPES = np.array([1.0, 0.5, 2.0])
G = float(np.linalg.norm(SLOPES))


def value(x: Array) -> float:
    """f(x) = sum c_i |x_i - x*_i|."""
    return float(SLOPES @ np.abs(x - OPTIMUM))


def subgradient(x: Array) -> Array:
    """A subgradient; on a kink the one to the right."""
    return np.where(x >= OPTIMUM, SLOPES, -SLOPES)


def average(run_p: Array, z: Array) -> Array:
    """x, of which the parameter is y = (1 - beta) z + beta x."""
    return (run_p - (1 - BETA) * z) / BETA


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The bound at several horizons, then the whole way on one slope."""
    tests = [_horizon(kernel, T) for T in trial.pick((8, 64), (8, 64, 512, 4096))]
    made, points = _one_slope(kernel, trial.pick(48, 1024))
    return Evidence.of([*tests, *made], points)


def _horizon(kernel: Kernel, T: int) -> Outcome:
    """f at the average of z_2, ..., z_T, after T - 1 steps of gamma = D / (G sqrt(T)).

    The first step makes x = z whatever came before, so that the averages start from z_2, which is
    at most sqrt(D^2 + gamma^2 G^2) from x*. The bound is of exact arithmetic on the gradients that
    the kernel has met, which are subgradients there but for twice G times the distance.
    """
    distance = float(np.linalg.norm(START - OPTIMUM))
    gamma = distance / (G * float(np.sqrt(T)))
    given = {"lr": gamma, "beta": BETA}
    run = kernel.start(START, **given)
    drift, strayed = Drift(kernel, run.p, given), 0.0
    for _ in range(T - 1):
        g = subgradient(run.p)
        run.step(g)
        strayed = max(strayed, float(np.linalg.norm(drift.step(g))))
    x = average(run.p, np.asarray(run.state["z"], np.float64))
    far = distance**2 + gamma**2 * G**2
    bound = far / (2 * gamma * (T - 1)) + gamma * G**2 / 2
    # y strays by no more than that, and x by y's and z's errors over beta; f has slope G.
    rounding = G * strayed * (2 + (2 - BETA) / BETA)
    return at_most(f"f at the average, horizon {T}", value(x), bound, rounding)


def _one_slope(kernel: Kernel, T: int) -> tuple[list[Outcome], list[Point]]:
    """On a slope g: z_t = z_1 - gamma (t - 1) g, and x the mean of z_2, ..., z_t."""
    given = {"lr": 0.125, "beta": BETA}
    run = kernel.start(START, **given)
    drift, start = Drift(kernel, run.p, given), run.p
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, T + 1):
        y, error = run.step(SLOPES), drift.step(SLOPES)
        way = 0.125 * ((1 - BETA) * t + BETA * (t + 1) / 2)
        gap = np.abs(y - (start - way * SLOPES))
        i = int(np.argmax(gap / error))
        change = float(2 * error[i] / (way * SLOPES[i]))
        tests.append(Outcome(float(gap[i] / error[i]), f"step {t} on one slope", change))
        if t & (t - 1) == 0:
            e = float(error[2])
            due = way * float(SLOPES[2])
            points.append((t, float(start[2] - y[2]), due, (due - e, due + e)))
    return tests, points


SCHEDULE_FREE_BOUND = Theorem(
    name="schedule_free_bound",
    topic="adaptive",
    statement=(
        "On a convex f of slope G, Schedule-Free SGD with the constant step gamma and any beta has "
        "f(x_T) - f* <= D^2 / (2 gamma T) + gamma G^2 / 2 at its average of T points, "
        "D G / sqrt(T) for gamma = D / (G sqrt(T)); on a straight slope its parameter is "
        "y = z_1 - gamma ((1 - beta) t + beta (t + 1) / 2) g after t steps, exactly."
    ),
    source="A. Defazio et al., NeurIPS 2024 (arXiv:2405.15682), theorem 1",
    subject=Subject("schedule_free_sgd", sets=("lr", "beta")),
    constants={"G": G, "D": float(np.linalg.norm(START - OPTIMUM)), "beta": BETA},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "every step a tenth too long": longer(1.1),
            "a rate that falls as 1 / t beside the average": rate(lambda lr, t: lr / (t + 1)),
        },
    ),
    axes=("t", "way of y on one slope"),
    changed="the parameter",
)
