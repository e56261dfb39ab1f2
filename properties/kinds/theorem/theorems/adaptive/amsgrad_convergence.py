"""AMSGrad finds the best point where Adam goes to the worst."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.adaptive.reddi import HIGH, LOW, rate, slope
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

SLOPES, A = (3.0, 4.0, 10.0), 1.0
# The largest number of cycles in which the upper end is left for the lower one, for these slopes:
# a cycle moves x by at least (C - 2) a / (C sqrt(3 k)), and 2 has to be covered.
CROSSING = {C: int(np.ceil(3 * (C / (C - 2)) ** 2 / A**2)) + 1 for C in SLOPES}


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Regret and place for each slope."""
    tests, points = list[Outcome](), list[Point]()
    for C in SLOPES:
        made, points = _cycles(kernel, C, CROSSING[C] + trial.pick(8, 1000))
        tests += made
    return Evidence.of(tests, points)


def _cycles(kernel: Kernel, C: float, cycles: int) -> tuple[list[Outcome], list[Point]]:
    """Once the lower end is met after a round of slope C, it is met after each such round, exactly.

    Two rounds move x up by less than the next one moves it down, for 2 < C and a falling rate.
    Regret: D^2 / (2 a_T) sqrt(v_T) + sum a_t g_t^2 / (2 sqrt(v_t)), v_T <= C^2, g_t^2 / sqrt(v_t)
    <= |g_t| / sqrt(1 - beta2).
    """
    beta2 = 1 / (1 + C * C)
    run = kernel.start(np.array([HIGH]), lr=A, beta1=0.0, beta2=beta2, eps=0.0)
    tests, points, regret, paid = list[Outcome](), list[Point](), 0.0, 0.0
    for t in range(1, 3 * cycles + 1):
        g = slope(C, t)
        before = run.p
        regret += g * float(before[0] - LOW)
        a = A / float(np.sqrt(t))
        paid += a * abs(g) / (2 * float(np.sqrt(1 - beta2)))
        run.step(np.array([g]), lr=rate(kernel, A, beta2, t))
        run.put(np.clip(run.p, LOW, HIGH))
        if t % 3 == 1 and t > 3 * CROSSING[C]:
            due = float(run.p[0])
            tests.append(equal(f"C = {C:g}, t = {t}: x is the lower end", due, LOW, 0.0))
        if t % 3 == 0:
            bound = 4 / (2 * a) * C + paid
            # A step rounds p, p' and the way, at most a C: it enters regret by its quotient by a.
            rounding = t * 2 * C * kernel.u * (2 * HIGH + 8 * C) * float(np.sqrt(t)) / A
            name = f"C = {C:g}, t = {t}: regret"
            tests.append(at_most(name, max(regret, 0.0), bound, rounding))
            points.append((t, max(regret, 1e-3) / t, bound / t, (0.0, (bound + rounding) / t)))
    return tests, points


AMSGRAD_CONVERGENCE = Theorem(
    name="amsgrad_convergence",
    topic="adaptive",
    statement=(
        "On the losses C x, -x, -x, ... over [c - 1, c + 1], where Adam ends at c + 1, AMSGrad "
        "with beta1 = 0 and steps a / sqrt(t) has a regret of at most 2 C sqrt(T) / a + sum_t "
        "a |g_t| / (2 sqrt(t) sqrt(1 - beta2)), and is at c - 1 after every loss C x."
    ),
    source=(
        "S. Reddi, S. Kale, S. Kumar, ICLR 2018 (arXiv:1904.09237), theorem 4 and section 3, with "
        "beta1 = 0 and the constants of its proof"
    ),
    subject=Subject("amsgrad", sets=("lr", "beta1", "beta2", "eps")),
    constants={"a": A, "C_least": SLOPES[0], "C_most": SLOPES[-1]},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "Adam in its place": another(
                reference("adam", bias_correction="none"), "lr", "beta1", "beta2", "eps"
            )
        },
    ),
    axes=("t", "regret a round"),
    changed="the regret",
)
