"""Lion with decoupled decay never leaves the box |p| <= 1 / weight_decay for good."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer, numbers
from truestep.properties.kinds.theorem.theorems.drift import Drift
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    spoilt,
)
from truestep.reference.validation import Array

LR, DECAY = 0.25, 0.5
# On both sides of the ends, +-2, of the box.
START = np.array([5.0, 0.25, -1.5, -7.0, 3.0, -0.5, 1.0, 0.0])
# Where the gradient's sign never changes: there the box's end is approached exactly.
CONSTANT = np.array([1.0, -1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0])


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Signs that stay, of sizes that change, in four coordinates; any gradients in the others."""
    rng = trial.rng()
    given = {"lr": LR, "weight_decay": DECAY}
    run = kernel.start(START, **given)
    drift, start = Drift(kernel, run.p, given), run.p
    stays, kept = CONSTANT != 0, 1 - LR * DECAY
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, trial.pick(48, 512) + 1):
        sizes = rng.uniform(0.5, 2.0, len(START)) * 10.0 ** float(rng.integers(-3, 4))
        g = np.where(stays, CONSTANT * sizes, rng.choice([-1.0, 1.0, 0.0], len(START)) * sizes)
        x = run.step(g)
        drift.step(g)
        end = (1 - kept**t) / DECAY
        due = kept**t * start - end * CONSTANT
        error = _rounding(kernel, drift, t)
        tests += _judged(t, x, due, kept**t * np.abs(start) + end, error, stays)
        if t & (t - 1) == 0:
            size, e = float(abs(due[3])), float(error[3])
            points.append((t, abs(float(x[3])), size, (size - e, size + e)))
    return Evidence.of(tests, points)


def _rounding(kernel: Kernel, drift: Drift, t: int) -> Array:
    """Errors of p: where the analysis leaves a sign open, those of t steps with either sign.

    Whatever the sign, a step errs by u (|p| + |p'| + 3 lr) and shrinks earlier errors.
    """
    largest = float(np.abs(START).max())
    any_sign = 3 * kernel.u * min(t, 1 / (LR * DECAY)) * (2 * largest + 3 * LR)
    return np.where(CONSTANT != 0, drift.error, any_sign)


def _judged(
    t: int, x: Array, due: Array, bound: Array, error: Array, stays: Array
) -> list[Outcome]:
    gap = np.where(stays, np.abs(x - due), 0.0)
    i = int(np.argmax(gap / error))
    change = float(2 * error[i] / abs(due[i]))
    j = int(np.argmax(np.abs(x) - bound - error))
    return [
        Outcome(float(gap[i] / error[i]), f"step {t}: approach of the end, coordinate {i}", change),
        at_most(
            f"step {t}: box, coordinate {j}", abs(float(x[j])), float(bound[j]), float(error[j])
        ),
    ]


LION_BOX = Theorem(
    name="lion_box",
    topic="adaptive",
    statement=(
        "Whatever the gradients, Lion with decoupled weight_decay d keeps |p_t| <= "
        "(1 - lr d)^t |p_0| + (1 - (1 - lr d)^t) / d in every coordinate, so that p ends in the "
        "box |p| <= 1 / d; a gradient whose sign stays attains it."
    ),
    source=(
        "L. Chen, B. Liu, K. Liang, Q. Liu, Lion Secretly Solves Constrained Optimization, ICLR "
        "2024 (arXiv:2310.05898), proposition 2.1, by induction"
    ),
    subject=Subject(
        "lion",
        dialect={"decay": ("before", "in_step")},
        sets=("lr", "weight_decay"),
        storage=("dynamic_8bit",),
    ),
    constants={"lr": LR, "weight_decay": DECAY},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "every step a tenth too long": longer(1.1),
            "a quarter of the decay": numbers(
                lambda given, _: {**given, "weight_decay": DECAY / 4}
            ),
        },
    ),
    axes=("t", "|p| of a coordinate whose gradient keeps its sign"),
    changed="the parameter",
)
