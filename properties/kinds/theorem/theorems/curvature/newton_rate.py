"""Newton's steps square the error, and do no better."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer
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
from truestep.reference.problems import logistic

# f(x) = c x - log x, least at 1 / c, from c x_0 = 1 - GAP.
C, GAP, STEPS = np.array([0.25, 1.0, 3.0, 1024.0]), 0.875, 10
EXAMPLES, L2 = 40, 0.25


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The error's square exactly on one function, as a bound on logistic regression."""
    made, points = _squares(kernel)
    return Evidence.of([*made, *_logistic(kernel, trial)], points)


def _squares(kernel: Kernel) -> tuple[list[Outcome], list[Point]]:
    """Newton's step x (2 - c x) makes 1 - c x its own square: after k steps GAP^(2^k).

    A step errs by u (|p| + |p'| + 3 |step|), and twice c times the gap carries earlier errors on.
    """
    run = kernel.start((1 - GAP) / C, lr=1.0)
    exact, drift = 1 - C * run.p, np.zeros(len(C))
    tests, points = list[Outcome](), list[Point]()
    for k in range(1, STEPS + 1):
        x = run.p
        step = (C - 1 / x) * x * x
        new = run.step(step)
        rounding = kernel.u * (np.abs(x) + np.abs(new) + 3 * np.abs(step)) + 2.0**-53 * 4 * x
        drift = C * drift * (2 * np.abs(exact) + C * drift) / C + rounding
        exact = exact**2
        gap = np.abs(new - (1 - exact) / C) / drift
        i = int(np.argmax(gap))
        change = 2 * float(C[i] * drift[i])
        tests.append(Outcome(float(gap[i]), f"step {k}: the error's square, c = {C[i]:g}", change))
        if exact[1] > 0:
            e, due = float(drift[1]), float(exact[1])
            points.append(
                (k, abs(1 - float(new[1])) + e, due, (max(due - 2 * e, 0.0), due + 2 * e))
            )
    return tests, points


def _logistic(kernel: Kernel, trial: Trial) -> list[Outcome]:
    """|x' - x*| <= M / (2 mu) |x - x*|^2, M a Lipschitz constant of the Hessian.

    That is the mean of |a|^3 over 6 sqrt 3, the largest third derivative of log(1 + exp).
    """
    rng = trial.rng()
    A, y = rng.standard_normal((EXAMPLES, 3)), rng.choice([-1.0, 1.0], EXAMPLES)
    q = logistic.Problem(A, y, L2)
    optimum = logistic.constants(q).optimum
    M = float(np.mean(np.linalg.norm(A, axis=1) ** 3)) / (6 * float(np.sqrt(3)))
    away = rng.standard_normal(3)
    # Half of the distance from which the bound makes progress.
    run = kernel.start(optimum + away / np.linalg.norm(away) * L2 / M, lr=1.0)
    tests = list[Outcome]()
    for k in range(1, 6):
        x = run.p
        step = np.linalg.solve(logistic.hessian(q, x), logistic.gradient(q, x))
        new = run.step(step)
        bound = M / (2 * L2) * float(np.sum((x - optimum) ** 2))
        rounding = kernel.u * (np.abs(x) + np.abs(new) + 3 * np.abs(step))
        # The gradient's own rounding, over mu, and that of the optimum.
        own = 2.0**-53 * 64 * EXAMPLES / L2
        distance = float(np.linalg.norm(new - optimum))
        name = f"logistic, step {k}"
        tests.append(at_most(name, distance, bound, float(np.linalg.norm(rounding)) + own))
    return tests


NEWTON_RATE = Theorem(
    name="newton_rate",
    topic="curvature",
    statement=(
        "Newton's steps have |x' - x*| <= M / (2 mu) |x - x*|^2, M the Lipschitz constant of the "
        "Hessian and mu its least eigenvalue; on c x - log x they square 1 - c x exactly."
    ),
    source="J. Nocedal, S. J. Wright, Numerical Optimization, 2nd edition, 2006, theorem 3.5",
    subject=Subject("sgd"),
    constants={"gap": GAP, "steps": STEPS, "l2": L2},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{"every step 1 % too long": longer(1.01), "every step a tenth too short": longer(0.9)},
    ),
    axes=("k", "1 - c x"),
    changed="the error",
)
