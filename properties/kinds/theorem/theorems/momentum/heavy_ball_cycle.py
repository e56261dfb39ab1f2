"""The heavy ball's best parameters of quadratics cycle for ever on another convex function."""

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import longer, numbers
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    equal,
    spoilt,
)
from truestep.reference.validation import Array

L, MU, LR, BETA, STEPS, OPTIMUM = 25.0, 1.0, 1 / 9, 4 / 9, 150, 0.25
CYCLE = np.array([792, -2208, 2592]) / 1225


def slope(x: Array) -> Array:
    """f' with f'' in {1, 25}: 25 x, then x + 24 from 1 on, then 25 x - 24 from 2 on."""
    return np.where(x < 1, 25 * x, np.where(x < 2, x + 24, 25 * x - 24))


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """150 steps from 3.2, then gradient descent from there by the same kernel.

    Near the cycle f'' = 25, so that errors obey a recursion with the double root -sqrt(beta):
    (t + 1) sqrt(beta)^t is left of one, 1 / (1 - sqrt(beta))^2 = 9 of all.
    """
    run = kernel.start(np.array([OPTIMUM + 3.2]), lr=LR, momentum=BETA)
    points: list[Point] = []
    last: list[float] = []
    # |p| <= 3.5, lr |g| <= 56 / 9 and momentum |way| <= 2.2, of which each rounds a few times.
    erring = 9 * kernel.u * (2 * 3.5 + 4 * 56 / 9 + 4 * 2.2)
    for _ in range(STEPS):
        x = float(run.step(slope(run.p - OPTIMUM))[0]) - OPTIMUM
        last.append(x)
    outcomes: list[Outcome] = []
    # Which of the three comes first hangs on the start alone.
    first = int(np.argmin(np.abs(CYCLE - last[-1])))
    for k in range(30):
        due = float(CYCLE[(first - k) % 3])
        # What the start leaves after 120 steps is below (t + 1) sqrt(beta)^t of its 6.
        allowed = erring + 6 * STEPS * np.sqrt(BETA) ** (STEPS - 30)
        outcomes.append(equal(f"t = {STEPS - k}: the cycle", last[-1 - k], due, allowed))
        band = abs(due) - allowed, abs(due) + allowed
        points.append((STEPS - k, abs(last[-1 - k]), abs(due), band))
    return Evidence.of([*outcomes, _descends(kernel)], points[::-1])


def _descends(kernel: Kernel) -> Outcome:
    """Without momentum steps of 2 / (L + mu) contract the distance by (L - mu) / (L + mu)."""
    lr, rate = 2 / (L + MU), (L - MU) / (L + MU)
    run, erring = kernel.start(np.array([OPTIMUM + 3.2]), lr=lr, momentum=0.0), 0.0
    for _ in range(STEPS):
        before = run.p
        g = slope(before - OPTIMUM)
        x = run.step(g)
        erring = rate * erring + rounding.of_step(kernel.u, before, x, lr, g)
    gap = abs(float(run.p[0]) - OPTIMUM)
    return at_most("gradient descent", gap, 3.2 * rate**STEPS, erring)


HEAVY_BALL_CYCLE = Theorem(
    name="heavy_ball_cycle",
    topic="momentum",
    statement=(
        "With a = 1 / 9 and beta = 4 / 9, the best for quadratics of mu = 1 and L = 25, the heavy "
        "ball from 3.2 cycles through 792, -2208 and 2592 over 1225 for ever on a strongly convex "
        "f of the same mu and L, where gradient descent converges."
    ),
    source="L. Lessard, B. Recht, A. Packard, SIAM J. Optim. 26, 2016, section 4.6",
    subject=Subject("heavy_ball", sets=("lr", "momentum")),
    constants={"L": L, "mu": MU, "a": LR, "beta": BETA, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "half the step, which converges": longer(0.5),
            "momentum 0.4 in the place of 4 / 9": numbers(
                lambda given, t: {**given, "momentum": 0.9 * float(given["momentum"])}
            ),
        },
    ),
    axes=("t", "distance to the optimum"),
    changed="a point of the cycle",
)
