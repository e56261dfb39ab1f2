"""Nesterov's method on strongly convex functions: 1 - 1 / sqrt(k) a step, in the slowest mode."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import held, longer
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

SPECTRUM = np.array([1.0, 4.0, 64.0])
L, MU, STEPS = 64.0, 1.0, 64
BETA = (np.sqrt(L / MU) - 1) / (np.sqrt(L / MU) + 1)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Three modes from rest: trace = (1 + beta) q and determinant = beta q, with q = 1 - l / L.

    At l = mu both roots are 1 - 1 / sqrt(k); at l = L one step ends the mode but for rounding.
    """
    recursions = [((1 + BETA) * (1 - l / L), BETA * (1 - l / L)) for l in SPECTRUM[:-1]]
    run = kernel.start(followed.start(SPECTRUM[:-1]), lr=1 / L, momentum=BETA)

    def moved(before: Array) -> Array:
        ahead = before + BETA * np.asarray(run.state["u"]).astype(np.float64)
        return run.step(SPECTRUM[:-1] * (ahead - followed.OPTIMUM))

    found = followed.modes(kernel.u, run, moved, recursions, 1.0, BETA, STEPS)
    root = 1 - np.sqrt(MU / L)
    return found.evidence([(1 + (1 - root) * t) * root**t for t in range(1, STEPS + 1)])


NESTEROV_LINEAR = Theorem(
    name="nesterov_linear_rate",
    topic="momentum",
    statement=(
        "With a = 1 / L and momentum (sqrt(k) - 1) / (sqrt(k) + 1), k = L / mu, Nesterov's method "
        "contracts a mode of eigenvalue l by the roots of z^2 - (1 + beta) q z + beta q, "
        "q = 1 - l / L; of l = mu both are 1 - 1 / sqrt(k), and exactly "
        "(1 + t / sqrt(k)) (1 - 1 / sqrt(k))^t of the distance is left."
    ),
    source="Y. Nesterov, Lectures on Convex Optimization, 2018, section 2.2.1, constant scheme III",
    subject=Subject("nesterov", dialect={"form": ("lookahead",)}, sets=("lr", "momentum")),
    constants={"L": L, "mu": MU, "beta": BETA, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment, no_momentum=held(momentum=0.0), steps_1_percent_too_short=longer(0.99)
    ),
    axes=("t", "distance to the optimum"),
    changed="the distance to the optimum",
)
