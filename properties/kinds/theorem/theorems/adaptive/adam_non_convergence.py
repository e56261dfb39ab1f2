"""Adam with a short memory of squares goes to the worst point and stays there."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.adaptive.reddi import HIGH, LOW, rate, slope
from truestep.properties.kinds.theorem.theorems.controls import another, held
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

SLOPES = (2.5, 3.0, 10.0)
# Any number below sqrt(1 - beta2), which is least, 0.928, for the first slope.
A = 0.5


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """33 cycles for each slope: x is the upper end, exactly, at the start of each."""
    tests, points = list[Outcome](), list[Point]()
    for C in SLOPES:
        made, points = _cycles(kernel, C, trial.pick(33, 1000))
        tests += made
    return Evidence.of(tests, points)


def _cycles(kernel: Kernel, C: float, cycles: int) -> tuple[list[Outcome], list[Point]]:
    """Clipping at the end is exact, so that no rounding is left at the starts of cycles.

    It is reached with more than 0.06 a / sqrt(t) to spare, for these slopes, which rounding cannot
    use up.
    The regret of a cycle that starts at the upper end is at least C 2 - 2 - 2, for x - x* <= 2 in
    the two rounds that follow.
    """
    beta2 = 1 / (1 + C * C)
    run = kernel.start(np.array([HIGH]), lr=A, beta1=0.0, beta2=beta2, eps=0.0)
    tests, points, regret = list[Outcome](), list[Point](), 0.0
    for t in range(1, 3 * cycles + 1):
        x = float(run.p[0])
        if t % 3 == 1:
            tests.append(equal(f"C = {C:g}, t = {t}: x is the upper end", x, HIGH, 0.0))
        g = slope(C, t)
        regret += g * (x - LOW)
        run.step(np.array([g]), lr=rate(kernel, A, beta2, t))
        run.put(np.clip(run.p, LOW, HIGH))
        if t % 3 == 0:
            due = (2 * C - 4) / 3
            # Losses are exact to float64's rounding: 2 t terms of at most 2 C.
            own = 2.0**-53 * 2 * t * 2 * C
            tests.append(
                at_most(f"C = {C:g}, t = {t}: regret over its least", due * t, regret, own)
            )
            points.append((t, regret / t, due, (due, 2 * C)))
    return tests, points


ADAM_NON_CONVERGENCE = Theorem(
    name="adam_non_convergence",
    topic="adaptive",
    statement=(
        "On the losses C x, -x, -x, ... over [c - 1, c + 1] Adam with beta1 = 0, beta2 = 1 / "
        "(1 + C^2), eps = 0 and steps a / sqrt(t), a < sqrt(1 - beta2), is at c + 1 after every "
        "three steps, and its regret a round is at least (2 C - 4) / 3 > 0 for C > 2."
    ),
    source="S. Reddi, S. Kale, S. Kumar, ICLR 2018 (arXiv:1904.09237), theorem 1",
    subject=Subject("adam", sets=("lr", "beta1", "beta2", "eps")),
    constants={"a": A, "C_least": SLOPES[0], "C_most": SLOPES[-1]},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "beta2 = 0.999, with which Adam converges here": held(beta2=0.999),
            "AMSGrad in its place": another(reference("amsgrad"), "lr", "beta1", "beta2", "eps"),
        },
    ),
    axes=("t", "regret a round"),
    changed="the regret",
)
