"""Rounding errors of a run neither push nor pull: their sum is a martingale."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.planted import (
    rounded_up_too_often,
    stored,
    truncated,
)
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    spoilt,
)

# With 2^-6 a step is exact but for its addition, and 16 of them from 1.5 stay within [1, 2].
LR, START, STEPS = 2.0**-6, 1.5, 16


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """What 16 random steps lose in their last places, over many runs.

    lr g is an odd multiple of 1 / 128 of p's last place, uniform over a whole number of places.
    Rounded to nearest its error has the mean 0 whatever p is, and no tie occurs; stochastically
    rounded it has too. So the sum is a martingale whose steps are at most half of 2 u, which the
    inequality of Azuma and Hoeffding holds near 0; what errs to one side goes with their number.
    """
    n, rng = trial.pick(20_000, 200_000), trial.rng()
    # The last place of numbers in [1, 2); of stochastic rounding, whose u is twice as large, two.
    place = 2 * kernel.u
    unit = place / 2
    half, run, lost = round(1 / unit) // 2, kernel.start(np.full(n, START), lr=LR), 0.0
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for t in range(1, STEPS + 1):
        before = run.p
        g = (2 * rng.integers(-half, half, n) + 1) * unit
        after = run.step(g)
        # Exact: a difference of neighbours, then of multiples of a 128th of a place.
        lost += float(np.sum((after - before + LR * g) / place))
        bound = float(np.sqrt(2 * t * n * np.log(2 * STEPS / trial.level))) / 2
        name = f"t = {t}: sum of rounding errors"
        # An error of the mean twice as large is beyond it for all but the rarest sums.
        outcomes.append(Outcome(abs(lost) / bound, name, 2 * bound / (t * n)))
        if t & (t - 1) == 0:
            points.append((t, abs(lost), 0.0, (0.0, bound)))
    return Evidence.of(outcomes, points)


ROUNDING_AVERAGES_OUT = Theorem(
    name="rounding_averages_out",
    topic="stochastic",
    statement=(
        "Where gradients are spread over many last places of p, errors of rounding to nearest, and "
        "of unbiased stochastic rounding, have the mean 0 given all before: over N steps their sum "
        "is within u sqrt(2 N ln(2 / q)) |p| with probability 1 - q, not N u |p|."
    ),
    source=(
        "W. Bennett, Bell Syst. Tech. J. 27, 1948; M. Croci et al., R. Soc. Open Sci. 9, 2022, "
        "section 5; K. Azuma, Tohoku Math. J. 19, 1967"
    ),
    subject=Subject("sgd", formats=("bfloat16", "float32", "float64"), by_chance=True),
    constants={"lr": LR, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "parameters stored towards zero": stored(truncated),
            "rounded up 5 percent too often": stored(rounded_up_too_often(0.05, seed=6)),
        },
    ),
    axes=("t", "sum of rounding errors, in last places"),
    random=True,
    changed="the mean rounding error, in last places,",
)
