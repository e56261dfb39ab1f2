"""Runs that must agree to the last bit: what a factor of the gradient leaves of a trajectory."""

import numpy as np

from truestep.fast.protocol import Number
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Trial,
    equal,
)

# Powers of two, exact in every format: a faithful kernel's roundings are then the same ones.
FACTORS = (2.0**-9, 2.0**7)
SIZE = 8


def agreeing(
    kernel: Kernel,
    trial: Trial,
    *,
    plain: dict[str, Number],
    scaled: tuple[str, ...] = (),
    factors: tuple[float, ...] = FACTORS,
) -> Evidence:
    """A run on random gradients, and runs on multiples of them: p is the same at every step.

    scaled: the hyperparameters that are multiplied with the gradient.
    """
    tests, points = list[Outcome](), list[Point]()
    start = trial.rng().uniform(1.0, 4.0, SIZE)
    for c in factors:
        rng, other = trial.rng(1), {n: float(x) * c for n, x in plain.items() if n in scaled}
        one, two = kernel.start(start, **plain), kernel.start(start, **{**plain, **other})
        points = []
        for t in range(1, trial.pick(48, 1024) + 1):
            # Sizes that change from step to step, all terms of the state alive; eight bits long.
            g = np.round(rng.standard_normal(SIZE) * 64) / 64 * 2.0 ** float(rng.integers(-2, 3))
            g = np.where(g == 0, 1.0, g)
            p, q = one.step(g), two.step(c * g)
            gap = float(np.abs(p - q).max())
            tests.append(
                equal(f"gradients times {c:g}, step {t}: largest difference", gap, 0.0, 0.0)
            )
            if t & (t - 1) == 0:
                size = float(np.abs(q - start).max())
                due = float(np.abs(p - start).max())
                points.append((t, size, due, (due, due)))
    return Evidence.of(tests, points)
