"""The longest step of RMSProp, which a single spike makes."""

from collections.abc import Iterator

import numpy as np

from truestep.properties.kinds.theorem.theorems.adaptive.bounded_step import attained, never_passed
from truestep.properties.kinds.theorem.theorems.controls import held, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Subject,
    Theorem,
    Trial,
    spoilt,
)
from truestep.reference.validation import Array

LR, ALPHA, GROWTH = 0.125, 0.99, 4.0
LONGEST = 1 / float(np.sqrt(1 - ALPHA))


def growing(T: int) -> Iterator[Array]:
    """Gradients 1, 4, 16, ...: each is nearly alone in the average of squares."""
    for t in range(T):
        yield np.array([GROWTH**t])


def length(t: int) -> float:
    """g_t / sqrt((1 - alpha) sum alpha^(t - s) g_s^2), a geometric sum."""
    q = ALPHA / GROWTH**2
    return LR * LONGEST * float(np.sqrt((1 - q) / (1 - q**t)))


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """24 growing gradients, and random ones."""
    given = {"lr": LR, "alpha": ALPHA, "eps": 0.0}
    found = attained(kernel, given, growing(24), length, LR * LONGEST)
    return Evidence.of(
        [*found.tests, *never_passed(kernel, given, trial, LR * LONGEST)], found.points
    )


RMSPROP_BOUNDED_STEP = Theorem(
    name="rmsprop_bounded_step",
    topic="adaptive",
    statement=(
        "Whatever the gradients, a step of RMSProp without momentum is at most lr / "
        "sqrt(1 - alpha), which a gradient after zeros makes; gradients c^t make steps of "
        "sqrt((1 - q) / (1 - q^t)) of it, q = alpha / c^2, exactly."
    ),
    source="by v_t >= (1 - alpha) g_t^2; D. P. Kingma, J. Ba, arXiv:1412.6980, section 2.1",
    subject=Subject("rmsprop", dialect={"bias_correction": ("none",)}, sets=("lr", "alpha", "eps")),
    constants={"lr": LR, "alpha": ALPHA, "longest": LONGEST},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{"every step a tenth too long": longer(1.1), "alpha = 0.995": held(alpha=0.995)},
    ),
    axes=("t", "length of the step"),
    changed="the step's length",
)
