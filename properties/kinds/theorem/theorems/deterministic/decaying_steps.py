"""Without noise a linear rate needs steps bounded below: c / t converges like a power of t."""

import numpy as np
from scipy.special import gammaln

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
    spoilt,
)
from truestep.reference.validation import Array

OPTIMUM, STEPS = 1.5, 256
# c lambda with c = 1; of 3 / 4 the factor 1 - c lambda / t is never negative.
SPECTRUM = np.array([0.25, 0.5, 0.75])


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Distances from x* on three parabolas after each step of 1 / t, then of 1 / sqrt(t)."""
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for name, exponent in (("1 / t", 1.0), ("1 / sqrt(t)", 0.5)):
        run, drift, product = kernel.start(OPTIMUM + np.ones(3)), 0.0, np.ones(3)
        for t in range(1, STEPS + 1):
            before, lr = run.p, t**-exponent
            g = SPECTRUM * (before - OPTIMUM)
            x = run.step(g, lr=lr)
            # Every factor lies in [0, 1]: errors add up. g is rounded once in float64 too.
            drift += rounding.of_step(kernel.u, before, x, lr, g) + 2.0**-53 * 2
            product = product * (1 - lr * SPECTRUM)
            due = _power_of_t(t) if exponent == 1 else product
            own = 2.0**-53 * 32 * t
            gap = float(np.abs(x - OPTIMUM - due).max())
            where = f"steps {name}, t = {t}"
            change = 2 * (drift + own) / float(due.max())
            outcomes.append(Outcome(gap / (drift + own), where, change))
            if exponent == 1 and t & (t - 1) == 0:
                low, high = due[0] - drift - own, due[0] + drift + own
                points.append((t, float(x[0] - OPTIMUM), float(due[0]), (low, high)))
    return Evidence.of(outcomes, points)


def _power_of_t(t: int) -> Array:
    """The product of 1 - c lambda / s over s <= t, which is about t^(-c lambda)."""
    return np.exp(gammaln(t + 1 - SPECTRUM) - gammaln(t + 1) - gammaln(1 - SPECTRUM))


DECAYING_STEPS = Theorem(
    name="decaying_steps_are_not_linear",
    topic="deterministic",
    statement=(
        "Without noise the steps c / t leave the share Gamma(t + 1 - c l) / (Gamma(t + 1) "
        "Gamma(1 - c l)), about t^(-c l), of the distance in a mode of eigenvalue l, and "
        "c / sqrt(t) about exp(-2 c l sqrt(t)): no geometric rate, which needs steps bounded below."
    ),
    source="the product of the factors 1 - a_t l; Euler's product of the gamma function",
    subject=Subject("sgd"),
    constants={"c": 1.0, "L": 0.75, "mu": 0.25, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "a constant step, which is linear": rate(lambda lr, t: 0.5),
            "steps c / (t + 1)": rate(lambda lr, t: lr * (t + 1) / (t + 2)),
            "steps 1 percent too long": longer(1.01),
        },
    ),
    axes=("t", "distance to the optimum, l = 1 / 4"),
    changed="the distance to the optimum",
)
