"""Steps 1 / t stay within sqrt(ln t / t) of the optimum at all times at once."""

import numpy as np
from scipy.special import bdtrik

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import rate
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

OPTIMUM, START, CHANCE, RHO = 2.0, -1.0, 0.05, 10.0


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """How many of all runs ever leave the boundary: no more than a binomial number of 5 %.

    With a_t = 1 / (t + 1) on x^2 / 2, t (x_t - x*) is a sum of t standard normal numbers. The
    mixture of their likelihood ratios over N(0, 1 / rho) is a martingale, which reaches 1 / 0.05
    with probability 0.05 at most (Ville): that is the boundary, and once for all t.
    """
    count, n, rng = trial.pick(512, 8_192), trial.pick(1_000, 4_000), trial.rng()
    run, left, erring = kernel.start(np.full(n, START)), np.zeros(n, bool), 0.0
    points: list[Point] = []
    for t in range(1, count + 1):
        before, lr = run.p, 1 / t
        g = before - OPTIMUM + rng.standard_normal(n)
        x = run.step(g, lr=lr)
        erring += rounding.of_step(kernel.u, before, x, lr, g)
        boundary = float(np.sqrt((t + RHO) * np.log((t + RHO) / (RHO * CHANCE**2)))) / t + erring
        left |= ~(np.abs(x - OPTIMUM) <= boundary)
        if t & (t - 1) == 0:
            inner = float(np.quantile(np.abs(x - OPTIMUM), 1 - CHANCE))
            points.append((t, inner, boundary, (0.0, boundary)))
    most = float(np.ceil(bdtrik(1 - trial.level, n, CHANCE)))
    # So many leave with probability 0.99 where the share is most and 2.33 roots of it.
    change = (most + 2.33 * np.sqrt(most)) / (n * CHANCE) - 1
    return Evidence.of([Outcome(left.sum() / most, "runs that ever leave", change)], points)


ALMOST_SURE = Theorem(
    name="almost_sure_rate",
    topic="stochastic",
    statement=(
        "With a_t = 1 / t on x^2 / 2 and standard normal noise, |x_t - x*| <= sqrt((t + r) "
        "ln((t + r) / (r p^2))) / t holds for all t >= 1 at once with probability 1 - p: x_t tends "
        "to x* almost surely, like sqrt(ln t / t) at worst."
    ),
    source=(
        "H. Robbins, Ann. Math. Statist. 41, 1970, for the boundary; J. R. Blum, Ann. Math. "
        "Statist. 25, 1954, for almost sure convergence"
    ),
    subject=Subject("sgd"),
    constants={"p": CHANCE, "r": RHO},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "steps t^-0.6, which are slower": rate(lambda lr, t: lr**0.6),
            "steps 0.2 / t, which are slower": rate(lambda lr, t: 0.2 * lr),
        },
    ),
    axes=("t", "distance of all but 5 percent of the runs, and the boundary"),
    random=True,
    changed="the share of runs that leave",
)
