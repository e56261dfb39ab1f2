"""Stochastic rounding of parameters does not stall: its mean is that of exact arithmetic."""

from typing import Literal

import numpy as np

from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Experiment,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
)
from truestep.reference.quantizers import bfloat16
from truestep.reference.validation import Array

# Sixteen spacings from the optimum, where the nearest number would never be left: it stalls 32
# spacings away.
LR, OPTIMUM, SPACING, AWAY = 2.0**-6, 1.5, 2.0**-7, 16
STEPS = 128

Rounding = Literal["nearest_even", "toward_zero", "stochastic"]


def stored(x: Array, rounding: Rounding, rng: np.random.Generator) -> Array:
    """The parameters after their store as bfloat16."""
    h = bfloat16.Hyper(rounding=rounding)
    random = (rng.integers(0, 2**16, x.shape),) if rounding == "stochastic" else ()
    return np.asarray(bfloat16.decode(h, bfloat16.encode(h, x, *random)))


def rounding_to(rounding: Rounding) -> Experiment:
    """The experiment with this rounding."""

    def experiment(kernel: Kernel, trial: Trial) -> Evidence:
        """The mean distance of many parameters, after 1, 2, 4, ..., 128 steps.

        A rounding errs by mean 0 within a range of one spacing, whatever came before, so that the
        sum of n parameters is a martingale of bounded steps (Azuma; Hoeffding's lemma): the mean
        leaves (1 - a)^t of its start by e with probability at most
        2 exp(-2 n e^2 / (s^2 sum_k (1 - a)^2k)).
        """
        rng, n = trial.rng(), trial.pick(16_384, 262_144)
        run = kernel.start(np.full(n, OPTIMUM + AWAY * SPACING), lr=LR)
        tests, points = list[Outcome](), list[Point]()
        level, sizes = trial.level / STEPS.bit_length(), 0.0
        for t in range(1, STEPS + 1):
            run.step(run.p - OPTIMUM)
            run.put(stored(run.p, rounding, rng))
            sizes = (1 - LR) ** 2 * sizes + 1
            if t & (t - 1):
                continue
            allowed = float(SPACING * np.sqrt(np.log(2 / level) * sizes / (2 * n)))
            mean, due = float(np.mean(run.p - OPTIMUM)), AWAY * SPACING * (1 - LR) ** t
            name = f"step {t}: mean distance"
            tests.append(Outcome(abs(mean - due) / allowed, name, 2 * allowed / due))
            points.append((t, mean, due, (due - allowed, due + allowed)))
        return Evidence.of(tests, points)

    return experiment


STOCHASTIC_ROUNDING = Theorem(
    name="stochastic_rounding",
    topic="precision",
    statement=(
        "Parameters kept as bfloat16 by stochastic rounding have E x_t - x* = (1 - a)^t (x_0 - x*) "
        "on curvature 1, as in exact arithmetic, from within the distance s / (2 a) that rounding "
        "to nearest never leaves."
    ),
    source=(
        "S. Gupta et al., ICML 2015 (arXiv:1502.02551), section 3; W. Hoeffding, J. Amer. Statist. "
        "Assoc. 58, 1963, for the level"
    ),
    subject=Subject("sgd"),
    constants={"a": LR, "spacings_away": AWAY, "spacings_of_the_stall": 1 / (2 * LR)},
    experiment=rounding_to("stochastic"),
    controls={
        "rounding to nearest": rounding_to("nearest_even"),
        "rounding toward zero": rounding_to("toward_zero"),
    },
    axes=("t", "mean distance to the optimum"),
    random=True,
    changed="the mean distance",
)
