"""Constant steps on |x - x*| never settle: they alternate across the minimum."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer, rate
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Point,
    Subject,
    Theorem,
    Trial,
    equal,
    spoilt,
)

# Sixteenths below 4 are numbers of every format: nothing here is ever rounded.
STEP, OPTIMUM, STEPS = 0.25, 1.0, 64
STARTS = np.array([1.6875, 0.5625, -1.4375, 0.1875, -0.0625])


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Every iterate from five starts, to the last bit."""
    run = kernel.start(OPTIMUM + STARTS, lr=STEP)
    outcomes, points = [], list[Point]()
    due = STARTS
    for t in range(1, STEPS + 1):
        # The distance shrinks by STEP until it is below, then it is rho and STEP - rho in turn.
        due = np.where(due > 0, due - STEP, due + STEP)
        got = run.step(np.sign(run.p - OPTIMUM)) - OPTIMUM
        outcomes.append(equal(f"t = {t}: iterates", float(np.abs(got - due).max()), 0.0, 0.0))
        if t & (t - 1) == 0:
            f, f_due = float(np.abs(got[0])), float(np.abs(due[0]))
            points.append((t, f, f_due, (f_due, f_due)))
    last = np.sort(np.abs([got, run.step(np.sign(run.p - OPTIMUM)) - OPTIMUM]), axis=0)
    rho = np.abs(STARTS) % STEP
    cycle = np.sort([rho, STEP - rho], axis=0)
    gap = float(np.abs(last - cycle).max())
    outcomes.append(equal("the cycle of rho and a - rho", gap, 0.0, 0.0))
    return Evidence.of(outcomes, points)


ABSOLUTE_VALUE = Theorem(
    name="absolute_value_alternates",
    topic="deterministic",
    statement=(
        "Subgradient descent with a constant step a on |x - x*| comes within a of x* and then "
        "alternates for ever between the distances rho and a - rho, rho = |x_0 - x*| mod a: f "
        "never improves on min(rho, a - rho)."
    ),
    source="Y. Nesterov, Lectures on Convex Optimization, 2018, section 3.2.3",
    subject=Subject("sgd", formats=("bfloat16", "float32", "float64")),
    constants={"a": STEP, "G": 1.0, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "steps a / sqrt(t), which converge": rate(lambda lr, t: lr / float(np.sqrt(t + 1))),
            "steps 7 / 8 as long": longer(0.875),
        },
    ),
    axes=("t", "f(x_t) - f*"),
    changed="any iterate",
)
