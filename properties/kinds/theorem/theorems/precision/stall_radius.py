"""Rounding to nearest stops gradient descent at half a spacing over the step."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import gradients, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.precision.binade import OPTIMUM, spacing, start
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    equal,
    spoilt,
)

# A power of two, so that a g is exact and a step rounds once, however it is computed.
LR = 0.25


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """From both sides, until nothing moves any more, and beyond."""
    tests, points = list[Outcome](), list[Point]()
    for side in (1.0, -1.0):
        made, points = _stopped(kernel, side)
        tests += made
    return Evidence.of(tests, points)


def _stopped(kernel: Kernel, side: float) -> tuple[list[Outcome], list[Point]]:
    """In spacings the distance is an integer n, and a step makes it n - n / 4, rounded.

    n = 3 goes to 2, and 2 is half a spacing from 1.5: it goes to the even neighbour, which it is.
    """
    apart, run, points = spacing(kernel), kernel.start(start(kernel, side), lr=LR), list[Point]()
    enough = int(np.ceil(np.log(0.25 / kernel.u) / -np.log(1 - LR))) + 8
    last = 0
    for t in range(1, enough + 1):
        before = run.p
        x = run.step(before - OPTIMUM)
        last = t if np.any(x != before) else last
        n = float(abs(x[0] - OPTIMUM[0]) / apart[0])
        if t & (t - 1) == 0:
            # A step leaves 3 / 4 and half a spacing more or less: in all at most 2 spacings.
            due = 0.125 / kernel.u * (1 - LR) ** t
            points.append((t, n, due, (max(due - 2, 0.0), due + 2)))
    found = np.abs(run.p - OPTIMUM) / apart
    tests = [
        equal(f"side {side:g}, optimum {c:g}: spacings left", float(n), 1 / (2 * LR), 0.0)
        for c, n in zip(OPTIMUM, found, strict=True)
    ]
    tests.append(
        equal(f"side {side:g}: steps after the end", float(max(last - enough + 4, 0)), 0, 0)
    )
    return tests, points


STALL_RADIUS = Theorem(
    name="stall_radius",
    topic="precision",
    statement=(
        "Where parameters are rounded to the nearest of numbers that lie s apart, a step with "
        "|a g| <= s / 2 is lost, so that gradient descent on curvature 1 stops within s / (2 a) of "
        "the optimum, and, for a a power of two and an optimum that is an even number, at exactly "
        "that distance."
    ),
    source=(
        "S. Gupta et al., ICML 2015 (arXiv:1502.02551), section 3; Goldberg, ACM Computing Surveys "
        "23, 1991, for rounding; the distance by hand"
    ),
    subject=Subject("sgd", formats=("bfloat16", "float32", "float64")),
    constants={"a": LR, "spacings": 1 / (2 * LR)},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "every step half as long again": longer(1.5),
            "gradients below 1e-6 lost": gradients(
                lambda g, _: np.where(np.abs(np.asarray(g)) < 1e-6, 0.0, np.asarray(g))
            ),
        },
    ),
    axes=("t", "distance to the optimum, in spacings"),
    changed="the distance",
)
