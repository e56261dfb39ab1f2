"""Steps with a finite sum cover a finite distance, and stop where the sum says."""

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import longer, rate
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

FIRST, RATIO, STEPS, DISTANCE, OPTIMUM = 0.1, 0.9, 256, 1.5, 0.5
CURVATURE = 2.0


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """0.1 * 0.9^t on |x - x*| from 1.5 away, and on (x - x*)^2 from 1 away."""
    run = kernel.start(OPTIMUM + np.array([DISTANCE, 1.0]))
    outcomes: list[Outcome] = []
    points: list[Point] = []
    drift, share = 0.0, 1.0
    for t in range(STEPS):
        lr, before = FIRST * RATIO**t, run.p
        g = np.array([np.sign(before[0] - OPTIMUM), CURVATURE * (before[1] - OPTIMUM)])
        x = run.step(g, lr=lr)
        drift += rounding.of_step(kernel.u, before, x, lr, g) + 2.0**-53 * 8
        share *= 1 - lr * CURVATURE
        walked = FIRST * (1 - RATIO ** (t + 1)) / (1 - RATIO)
        due = DISTANCE - walked, share
        for name, got, want in zip(("|x|", "x^2"), x - OPTIMUM, due, strict=True):
            outcomes.append(equal(f"t = {t + 1}: distance on {name}", got, want, drift))
        if (t + 1) & t == 0:
            points.append((t + 1, float(x[0] - OPTIMUM), due[0], (due[0] - drift, due[0] + drift)))
    return Evidence.of(outcomes, points)


SUMMABLE_STEPS = Theorem(
    name="summable_steps_stall",
    topic="deterministic",
    statement=(
        "Steps a_t walk at most G sum a_t. Of a_t = a r^t, on |x - x*| with a / (1 - r) = 1 from a "
        "distance of 3 / 2, exactly the distance 1 / 2 + r^t is left, and of a quadratic the share "
        "prod (1 - a l r^s), which tends to the q-Pochhammer symbol (a l; r), not to 0."
    ),
    source=(
        "H. Robbins, S. Monro, Ann. Math. Statist. 22, 1951, for the need of sum a_t = inf; by the "
        "triangle inequality"
    ),
    subject=Subject("sgd"),
    constants={"a": FIRST, "r": RATIO, "distance": DISTANCE, "L": CURVATURE, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "steps a / t, whose sum is infinite": rate(lambda lr, t: FIRST / (t + 1)),
            "steps 0.1 percent too long": longer(1.001),
        },
    ),
    axes=("t", "distance to the optimum of |x - x*|"),
    changed="the distance left",
)
