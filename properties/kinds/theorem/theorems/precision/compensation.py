"""Kahan's compensation removes the stall: what a store loses is added to the next step."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.precision.binade import (
    OPTIMUM,
    POWERS,
    spacing,
    start,
)
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Experiment,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
)

LR = 2.0**-4


def compensated(kept: float) -> Experiment:
    """The experiment with this part of what a store loses carried on."""

    def experiment(kernel: Kernel, trial: Trial) -> Evidence:
        """From both sides, until no compensated run can still be far."""
        tests, points = list[Outcome](), list[Point]()
        for side in (1.0, -1.0):
            made, points = _way(kernel, side, kept)
            tests += made
        return Evidence.of(tests, points)

    return experiment


def _way(kernel: Kernel, side: float, kept: float) -> tuple[list[Outcome], list[Point]]:
    """With q = a g + e and e' = q - (x - x'), y = x - e steps to y - a (x - x*), exactly.

    So y - x* shrinks by 1 - a and takes in a |e|: |x - x*| <= (1 - a)^t |x_0 - x*| + 2 max |e|. A
    store loses at most half a spacing, and q is rounded first: |e| <= s / 2 + u |q|.
    """
    apart, run, e = spacing(kernel), kernel.start(start(kernel, side), lr=1.0), np.zeros(4)
    far, most = np.abs(run.p - OPTIMUM), np.zeros(4)
    enough = int(np.ceil(np.log(0.25 / kernel.u) / LR))
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, enough + 1):
        x = run.p
        q = LR * (x - OPTIMUM) + e
        e = kept * (q - (x - run.step(q)))
        most = np.maximum(most, apart / 2 + kernel.u * np.abs(q))
        far *= 1 - LR
        gap, bound = np.abs(run.p - OPTIMUM), far + 2 * most
        i = int(np.argmax(gap / bound))
        name = f"side {side:g}, step {t}: distance, optimum {OPTIMUM[i]:g}"
        tests.append(at_most(name, float(gap[i]), float(bound[i])))
        if t & (t - 1) == 0:
            n, due = float(gap[0] / apart[0]), float(bound[0] / apart[0])
            points.append((t, n, due, (0.0, due)))
    return tests, points


COMPENSATION = Theorem(
    name="compensation",
    topic="precision",
    statement=(
        "If what a store to numbers s apart loses is carried to the next step, gradient descent on "
        "curvature 1 comes within s of the optimum for every step a, up to (1 - a)^t of the start "
        "and u |q|; without, it stops s / (2 a) away."
    ),
    source=(
        "W. Kahan, Comm. ACM 8, 1965; P. Zamirai et al., Revisiting BFloat16 Training, 2020 "
        "(arXiv:2010.06192), section 3"
    ),
    subject=Subject("sgd", formats=("bfloat16", "float32", "float64")),
    constants={"a": LR, "spacings_without": 1 / (2 * LR), "sizes": len(POWERS)},
    experiment=compensated(1.0),
    controls={"nothing carried on": compensated(0.0)},
    axes=("t", "distance to the optimum, in spacings"),
    changed="the distance",
)
