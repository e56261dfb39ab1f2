"""Search by function values alone: which gains converge, and how fast."""

from functools import partial

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import held, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.stochastic import gaussian
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    spoilt,
)
from truestep.reference.validation import Array

OPTIMUM, START, POWER, WIDTH_POWER, WIDTH = 1.0, 2.0, 1.0, 1 / 6, 0.5
QUARTIC_STEPS = 32


def experiment(kernel: Kernel, trial: Trial, common: bool = False) -> Evidence:
    """Every coordinate of one run is a run of its own; then without noise on a quartic.

    On sum e_i^2 / 2 a central difference is e_i + (y - y') / (2 c_t) exactly, y and y' noise of
    variance 1, so e_i is Gaussian. common: both evaluations have the same noise.
    """
    n, count, rng = trial.pick(96, 512), trial.pick(64, 256), trial.rng()
    calls, noise = 0, 0.0

    def noisy(x: Array) -> tuple[Array, Array]:
        # The positive side is evaluated first, then the negative one.
        nonlocal calls, noise
        if not (common and calls % 2):
            noise = float(rng.standard_normal())
        calls += 1
        e = x - OPTIMUM
        return e @ e / 2 + noise, e

    run = kernel.start(np.full(n, START), lr=1.0, power=POWER, width=WIDTH, width_power=WIDTH_POWER)
    tests = gaussian.moment_tests(1)
    level = trial.level / (count + tests)
    mean, variance, drift = START - OPTIMUM, 0.0, 0.0
    outcomes: list[Outcome] = []
    points: list[Point] = []
    innovations = []
    for t in range(1, count + 1):
        before = run.p - OPTIMUM
        x = run.step(noisy) - OPTIMUM
        a, c = t**-POWER, WIDTH * t**-WIDTH_POWER
        spread = a / (np.sqrt(2) * c)
        innovations.append((x - (1 - a) * before) / spread)
        mean, variance = (1 - a) * mean, (1 - a) ** 2 * variance + spread**2
        # Of two values of a sum of n terms, each a few roundings of the largest.
        largest = float(before @ before + x @ x) + 16
        drift = (1 - a) * drift + a / c * kernel.u * (n + 8) * largest + 8 * kernel.u
        if t & (t - 1) == 0:
            C = np.array([[variance]])
            centre = np.array([mean])
            name = f"t = {t}: errors"
            outcomes.append(gaussian.moments(x[:, None], centre, C, drift, level, name))
            low, high = gaussian.variance_band(variance, n, drift, level)
            square = mean**2
            measured = square + float(np.mean((x - mean) ** 2))
            points.append((t, measured, square + variance, (square + low, square + high)))
    fresh = np.concatenate(innovations)[:, None]
    slack = drift / spread
    outcomes.append(
        gaussian.moments(fresh, np.zeros(1), np.eye(1), slack, level, "the noise of all steps")
    )
    return Evidence.of([*outcomes, _quartic(kernel)], points)


def _quartic(kernel: Kernel) -> Outcome:
    """Without noise the central difference of e^4 is 4 e^3 + 4 e c^2: its bias, exactly."""
    numbers = {"lr": 0.1, "power": POWER, "width": WIDTH, "width_power": WIDTH_POWER}
    run, e, erring = kernel.start(np.full(1, START), **numbers), START - OPTIMUM, 0.0

    def quartic(x: Array) -> tuple[Array, Array]:
        return np.sum((x - OPTIMUM) ** 4), 4 * (x - OPTIMUM) ** 3

    for t in range(1, QUARTIC_STEPS + 1):
        a, c = 0.1 * t**-POWER, WIDTH * t**-WIDTH_POWER
        x = float(run.step(quartic)[0]) - OPTIMUM
        e = e - a * (4 * e**3 + 4 * e * c**2)
        # Values are below (1 + c)^4 and err by their own roundings and those of the point.
        erring += 16 * kernel.u * (1 + a / c * (1 + c) ** 4)
    return Outcome(abs(x - e) / erring, "the bias on a quartic")


KIEFER_WOLFOWITZ = Theorem(
    name="kiefer_wolfowitz_gains",
    topic="stochastic",
    statement=(
        "With steps a_t = t^-1 and half widths c_t = c t^-g the error of Kiefer and Wolfowitz' "
        "search is, on parabolas, a Gaussian recursion that adds a_t^2 s^2 / (2 c_t^2) a step: it "
        "converges where sum (a_t / c_t)^2 < inf, g < 1 / 2, at the rate t^-(1 - 2 g); elsewhere a "
        "central difference is off by f''' c_t^2 / 6, so that g = 1 / 6 is best."
    ),
    source=(
        "J. Kiefer, J. Wolfowitz, Ann. Math. Statist. 23, 1952; J. Sacks, Ann. Math. Statist. 29, "
        "1958, for the rate"
    ),
    subject=Subject("kiefer_wolfowitz", "minimizer", sets=("lr", "power", "width", "width_power")),
    constants={"power": POWER, "c": WIDTH, "g": WIDTH_POWER, "s": 1.0},
    experiment=experiment,
    controls={
        **spoilt(
            experiment,
            **{
                "widths t^-1/2, which shrink too fast": held(width_power=0.5),
                "steps 20 percent too long": longer(1.2),
            },
        ),
        "both evaluations with the same noise": partial(experiment, common=True),
    },
    axes=("t", "E (x_t - x*)^2"),
    random=True,
    changed="the noise of a step",
)
