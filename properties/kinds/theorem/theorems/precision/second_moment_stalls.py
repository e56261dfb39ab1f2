"""A second moment kept in bfloat16 cannot forget: (1 - beta2) v is less than half a spacing."""

import numpy as np

from truestep.properties.arithmetic.formats import Format
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.kinds.theorem.theorems.controls import held
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
from truestep.reference.validation import Array

BETA2 = 0.999
# Gradients of 8 bits, so that every format has them; their squares fall all over two binades.
FIRST = 1 + np.arange(128) / 128


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """A gradient, then none for 64 steps: v is what it was where it stalls, else beta2^t of it.

    A step of the moment makes at most 4 roundings: of beta2, of beta2 v, of the sum, of the store.
    """
    store, u = _store(kernel)
    run = kernel.start(np.zeros(len(FIRST)), lr=0.0, beta2=0.0)
    run.step(FIRST)
    begun = np.asarray(run.state["v"]).astype(np.float64)
    stalls = store.round(BETA2 * begun) == begun
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, trial.pick(64, 2048) + 1):
        run.step(np.zeros(len(FIRST)), beta2=BETA2)
        v = np.asarray(run.state["v"]).astype(np.float64)
        due = np.where(stalls, begun, BETA2**t * begun)
        allowed = np.where(stalls, 0.0, 4 * u * t * begun)
        gap = np.abs(v - due)
        ratio = np.where(allowed > 0, gap / np.where(allowed > 0, allowed, 1.0), gap * np.inf)
        ratio = np.where(gap == 0, 0.0, ratio)
        i = int(np.argmax(ratio))
        change = float(2 * allowed[i] / due[i])
        name = f"step {t}: v of {begun[i]:g}, which {'stalls' if stalls[i] else 'decays'}"
        tests.append(Outcome(float(ratio[i]), name, change))
        if t & (t - 1) == 0:
            e = float(allowed[1])
            points.append((t, float(v[1]), float(due[1]), (float(due[1]) - e, float(due[1]) + e)))
    return Evidence.of([*tests, _all_or_nothing(stalls)], points)


def _store(kernel: Kernel) -> tuple[Format, float]:
    """How v is stored, and the largest relative error of one rounding on its way there."""
    arithmetic = arithmetic_of(kernel.capability.arithmetic)
    store = arithmetic.stored("v")
    return store, max(store.u, arithmetic.format.u)


def _all_or_nothing(stalls: Array) -> Outcome:
    """Half a spacing is at least 2^-9 v in bfloat16 and at most 2^-11 v in float16."""
    mixed = bool(stalls.any()) and not bool(stalls.all())
    return Outcome(np.inf if mixed else 0.0, "every v stalls, or none")


SECOND_MOMENT_STALLS = Theorem(
    name="second_moment_stalls",
    topic="precision",
    statement=(
        "With beta2 = 0.999 and no gradient a second moment that is rounded to the nearest "
        "bfloat16 stays what it is for ever, since (1 - beta2) v < 2^-9 v, half of the least "
        "spacing there; in float32 it is beta2^t v."
    ),
    source=(
        "by rounding to nearest; J. Dettmers et al., ICLR 2022 (arXiv:2110.02861), section 2, on "
        "states of 16 bits"
    ),
    subject=Subject(
        "adam",
        dialect={"bias_correction": ("both", "none")},
        sets=("lr", "beta2"),
        formats=("bfloat16", "float32", "float64"),
    ),
    constants={"beta2": BETA2, "half_a_spacing": 2.0**-9},
    experiment=experiment,
    controls=spoilt(experiment, **{"beta2 = 0.9, which moves bfloat16 too": held(beta2=0.9)}),
    axes=("t", "second moment"),
    changed="the second moment",
)
