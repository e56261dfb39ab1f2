"""Codes that are drawn forget as they should: a moment's mean is that of exact arithmetic."""

from typing import cast

import numpy as np

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.kinds.optimizer.storage import StoredRule, held_storage, rule_of
from truestep.properties.kinds.theorem.theorems.controls import held
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, Run
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

MOMENTUM, FIRST, STEPS = 0.9, 0.6, 8
# One element of each group keeps the largest moment of its block at 1, by a gradient that stays.
GROUP = 32
# Its own codes are drawn too, so that a scale may stray; by more than this it never should.
SCALE = 1.25


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The mean of many moments that start at 0.6 and have no more gradient.

    A drawn code errs by mean 0 within a range of one spacing s, whatever came before (Azuma;
    Hoeffding's lemma): the mean of n moments leaves momentum^t of its start by e with probability
    at most 2 exp(-2 n e^2 / (s^2 sum_k momentum^2k)). Random numbers of 16 bits, and 4 roundings
    of float32 a step, add what they can.
    """
    rule, h = _how(kernel)
    groups = trial.pick(512, 8192)
    lasting = np.zeros(groups * GROUP)
    lasting[::GROUP] = 1.0
    others = lasting == 0
    run = kernel.start(np.zeros(len(lasting)), lr=1.0, momentum=MOMENTUM)
    values = np.asarray(rule.quantizer("b").all_values(h.storage["b"]), np.float64)
    # The spacing where the moments are, in units of the largest value.
    largest = float(np.max(values[np.isfinite(values)]))
    gap = float(np.max(np.diff(np.sort(values[np.isfinite(values)])))) / largest * SCALE
    tests, points, sizes = list[Outcome](), list[Point](), 0.0
    for t in range(STEPS + 1):
        run.step(np.where(others, 0.0 if t else FIRST, lasting * ((1 - MOMENTUM) if t else 1.0)))
        b = moments(rule, h, run)
        sizes = MOMENTUM**2 * sizes + 1
        due, n = FIRST * MOMENTUM**t, int(others.sum())
        level = trial.level / (STEPS + 1)
        chance = gap * float(np.sqrt(np.log(2 / level) * sizes / (2 * n)))
        allowed = chance + (t + 1) * (2.0**-16 * gap + 4 * kernel.u)
        mean = float(b[others].mean())
        tests.append(Outcome(abs(mean - due) / allowed, f"step {t}: mean", 2 * allowed / due))
        tests.append(Outcome(float(np.max(b)) / SCALE, f"step {t}: largest moment"))
        points.append((t + 1, mean, due, (due - allowed, due + allowed)))
    return Evidence.of(tests, points)


def _how(kernel: Kernel) -> tuple[StoredRule, Array]:
    """The rule with its stored moment, and its Hyper with the choices that runs are made with."""
    capability = cast(OptimizerCapability, kernel.capability)
    rule = cast(StoredRule, rule_of(capability))
    return rule, rule.Hyper(**capability.dialect, **held_storage(capability))


def moments(rule: StoredRule, h: Array, run: Run) -> Array:
    """The buffer that the run's codes stand for."""
    return np.asarray(rule.decoded(h, "b", run.state))


DRAWN_CODES = Theorem(
    name="drawn_codes",
    topic="precision",
    statement=(
        "A momentum buffer whose codes are drawn by stochastic rounding has, without gradient, "
        "E b_t = momentum^t b_0, as in exact arithmetic, where nearest codes never leave a number "
        "that is nearer to momentum times itself than its neighbour is."
    ),
    source=(
        "S. Gupta et al., ICML 2015 (arXiv:1502.02551), section 3; W. Hoeffding, J. Amer. Statist. "
        "Assoc. 58, 1963, for the level"
    ),
    subject=Subject("sgd", sets=("lr", "momentum"), storage=("e4m3_blocks", "int4"), codes="drawn"),
    constants={"momentum": MOMENTUM, "start": FIRST, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment, **{"momentum = 0.8": held(momentum=0.8), "momentum = 0.97": held(momentum=0.97)}
    ),
    axes=("t", "mean moment"),
    random=True,
    changed="the mean moment",
)
