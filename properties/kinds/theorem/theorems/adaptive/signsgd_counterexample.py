"""signSGD stays on a line that misses the optimum."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.adaptive.karimireddy import SUM, subgradient, value
from truestep.properties.kinds.theorem.theorems.controls import another
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, reference
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

# Powers of two, so that every iterate is a number of eight bits and no step rounds.
LR, START = 2.0**-6, np.array([1.5, 1.0])


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The sum of the coordinates, exactly, and f above what it costs, at every step."""
    run = kernel.start(START, lr=LR)
    total = float(START.sum())
    least = value(np.full(2, total / 2))
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, trial.pick(128, 2048) + 1):
        x = run.step(subgradient(run.p))
        tests.append(equal(f"step {t}: x_1 + x_2", float(x.sum()), total, 0.0))
        tests.append(at_most(f"step {t}: least f", least, value(x)))
        if t & (t - 1) == 0:
            points.append((t, value(x), least, (least, np.inf)))
    far = max(float(abs(START[0] - START[1])) - 2 * LR * t, 2 * LR)
    tests.append(at_most("distance of the coordinates", float(abs(x[0] - x[1])), far))
    return Evidence.of(tests, points)


SIGNSGD_COUNTEREXAMPLE = Theorem(
    name="signsgd_counterexample",
    topic="adaptive",
    statement=(
        "On f(x) = |x_1 + x_2 - s| / 4 + |x_1 - x_2| signSGD leaves x_1 + x_2 what it is, exactly, "
        "whatever its steps: f stays above |x_1 + x_2 - s| / 4 > 0 for ever."
    ),
    source="S. P. Karimireddy et al., ICML 2019 (arXiv:1901.09847), counterexample 2",
    subject=Subject("signsgd", formats=("bfloat16", "float32", "float64")),
    constants={"s": SUM, "lr": LR},
    experiment=experiment,
    controls=spoilt(
        experiment, **{"SGD in its place, which converges": another(reference("sgd"), "lr")}
    ),
    axes=("t", "f(x_t) - f*"),
    changed="the sum of the coordinates",
)
