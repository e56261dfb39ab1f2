"""The heavy ball at its best: every mode of a quadratic contracts by the root of the momentum."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import held, longer, numbers
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.momentum import followed
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Subject,
    Theorem,
    Trial,
    spoilt,
)
from truestep.reference.validation import Array

SPECTRUM = np.array([1.0, 10.0, 100.0])
MU, L, STEPS = 1.0, 100.0, 96
LR = 4 / (np.sqrt(L) + np.sqrt(MU)) ** 2
BETA = ((np.sqrt(L / MU) - 1) / (np.sqrt(L / MU) + 1)) ** 2


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Three modes from rest, against the closed form of their recursion.

    trace = 1 + beta - a l and determinant = beta: double roots sqrt(beta) at l = mu and
    -sqrt(beta) at l = L, a pair of that size between.
    """
    recursions = [(1 + BETA - LR * l, BETA) for l in SPECTRUM]
    run = kernel.start(followed.start(SPECTRUM), lr=LR, momentum=BETA)

    def moved(before: Array) -> Array:
        return run.step(SPECTRUM * (before - followed.OPTIMUM))

    found = followed.modes(kernel.u, run, moved, recursions, LR * L, BETA, STEPS)
    # The bound of the theorem, which the slowest mode attains.
    root = np.sqrt(BETA)
    bounds = [(1 + (1 + root) * t) * root**t for t in range(1, STEPS + 1)]
    return found.evidence(bounds)


HEAVY_BALL_RATE = Theorem(
    name="heavy_ball_rate",
    topic="momentum",
    statement=(
        "On a quadratic of spectrum within [mu, L] the heavy ball with a = 4 / (sqrt(L) + "
        "sqrt(mu))^2 and momentum beta = ((sqrt(k) - 1) / (sqrt(k) + 1))^2, k = L / mu, contracts "
        "every mode by exactly sqrt(beta) a step, but for a factor that grows like t at mu and L: "
        "|x_t - x*| <= (1 + (1 + sqrt(beta)) t) sqrt(beta)^t |x_0 - x*|."
    ),
    source="B. T. Polyak, USSR Comput. Math. Math. Phys. 4, 1964, section 2",
    subject=Subject(
        "heavy_ball", sets=("lr", "momentum"), formats=("bfloat16", "float32", "float64")
    ),
    constants={"L": L, "mu": MU, "a": LR, "beta": BETA, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "momentum beta^2": numbers(
                lambda given, t: {**given, "momentum": float(given["momentum"]) ** 2}
            ),
            "no momentum": held(momentum=0.0),
            "steps 20 percent too short": longer(0.8),
        },
    ),
    axes=("t", "distance to the optimum"),
    changed="the distance to the optimum",
)
