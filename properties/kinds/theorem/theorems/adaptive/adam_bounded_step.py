"""The longest step of Adam, and the gradients that make it."""

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

LR, BETA1, BETA2 = 0.125, 0.9, 0.999
# Cauchy and Schwarz: |m_t| = (1 - b1) |sum b1^s g| <= this times sqrt(v_t).
LONGEST = (1 - BETA1) / float(np.sqrt((1 - BETA2) * (1 - BETA1**2 / BETA2)))


def correction(kernel: Kernel, t: int) -> float:
    """What bias correction multiplies the step by; never more than 1 for these betas."""
    if kernel.hyper({}).bias_correction == "none":
        return 1.0
    return float(np.sqrt(1 - BETA2**t)) / (1 - BETA1**t)


def growing(T: int) -> Iterator[Array]:
    """Gradients (beta2 / beta1)^t, for which the inequality is an equality."""
    for t in range(T):
        yield np.array([(BETA2 / BETA1) ** t])


def length(kernel: Kernel, t: int) -> float:
    """The step that they make: of the longest one the root of the sum's part so far."""
    part = 1 - (BETA1**2 / BETA2) ** t
    return LR * LONGEST * float(np.sqrt(part)) * correction(kernel, t)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """48 growing gradients, and random ones."""
    given = {"lr": LR, "beta1": BETA1, "beta2": BETA2, "eps": 0.0}
    T = trial.pick(48, 96)
    bound = LR * LONGEST
    found = attained(kernel, given, growing(T), lambda t: length(kernel, t), bound)
    return Evidence.of([*found.tests, *never_passed(kernel, given, trial, bound)], found.points)


ADAM_BOUNDED_STEP = Theorem(
    name="adam_bounded_step",
    topic="adaptive",
    statement=(
        "Whatever the gradients, |m_t| / sqrt(v_t) <= (1 - beta1) / sqrt((1 - beta2) "
        "(1 - beta1^2 / beta2)), 7.27 for 0.9 and 0.999 and not the 3.16 of a single spike, so "
        "that a step is at most lr times that, and bias correction shortens it; gradients "
        "(beta2 / beta1)^t reach sqrt(1 - (beta1^2 / beta2)^t) of it at step t, exactly."
    ),
    source="by the inequality of Cauchy and Schwarz; it corrects arXiv:1412.6980, section 2.1",
    subject=Subject("adam", sets=("lr", "beta1", "beta2", "eps")),
    constants={"lr": LR, "beta1": BETA1, "beta2": BETA2, "longest": LONGEST},
    experiment=experiment,
    controls=spoilt(
        experiment, **{"every step a tenth too long": longer(1.1), "beta1 = 0.8": held(beta1=0.8)}
    ),
    axes=("t", "length of the step"),
    changed="the step's length",
)
