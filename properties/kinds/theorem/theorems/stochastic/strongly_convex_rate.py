"""SGD with steps of the order 1 / t on strongly convex functions: O(1 / t), with its constant."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.stochastic import gaussian
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
from truestep.reference.problems import quadratic

SPECTRUM, NOISE, OPTIMUM = (1.0, 4.0, 10.0), (1.0, 1.0, 1.0), (1.0, -2.0, 0.5)
BETA, GAMMA = 2.0, 19.0
C, L, M = 1.0, 10.0, 3.0


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Runs with a_k = 2 / (19 + k): both moments, and the loss below nu / (19 + k)."""
    q = quadratic.with_spectrum(SPECTRUM, NOISE, OPTIMUM, seed=5)
    count, n, x0 = trial.pick(256, 4_096), trial.pick(2_000, 20_000), np.zeros(3)
    steps = [BETA / (GAMMA + k) for k in range(1, count + 1)]
    first = float(quadratic.value(q, x0))
    nu = max(BETA**2 * L * M / (2 * (BETA * C - 1)), (GAMMA + 1) * first)
    exact = {m.t: m for m in quadratic.moments(q, x0, steps)}
    level = trial.level / (count.bit_length() * gaussian.moment_tests(3))
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for run in gaussian.replicates(q, kernel, steps, x0, n, trial.rng()):
        m, bound = exact[run.t], nu / (GAMMA + run.t + 1)
        name = f"t = {run.t}"
        outcomes.append(
            gaussian.moments(run.x, q.optimum + m.mean, m.covariance, run.drift, level, name)
        )
        # Both moments agree with these, whose loss the theorem bounds.
        loss = float((m.mean @ q.H @ m.mean + np.trace(q.H @ m.covariance)) / 2)
        outcomes.append(at_most(f"{name}: nu / (gamma + t)", loss, bound))
        points.append((run.t, float(quadratic.value(q, run.x).mean()), loss, (0.0, bound)))
    return Evidence.of(outcomes, points)


STRONGLY_CONVEX = Theorem(
    name="strongly_convex_rate",
    topic="stochastic",
    statement=(
        "Of an f with L-Lipschitz gradient and modulus c, and noise of variance M, SGD with a_k = "
        "b / (g + k), b c > 1 and a_1 <= 1 / L, has E f(x_k) - f* <= nu / (g + k) with nu = "
        "max(b^2 L M / (2 (b c - 1)), (g + 1) (f(x_1) - f*)); on a quadratic both moments are "
        "exact."
    ),
    source="L. Bottou, F. E. Curtis, J. Nocedal, SIAM Review 60, 2018, theorem 4.7",
    subject=Subject("sgd"),
    constants={"L": L, "c": C, "M": M, "b": BETA, "g": GAMMA},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "b c = 0.4, below the 1 that the rate needs": longer(0.2),
            "steps 20 percent too long": longer(1.2),
        },
    ),
    axes=("t", "E f(x_t) - f*"),
    random=True,
    changed="the variance",
)
