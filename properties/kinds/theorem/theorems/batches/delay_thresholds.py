"""Gradients that come tau steps late are stable below 2 sin(pi / (2 (2 tau + 1))) / L."""

from functools import partial

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import longer
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
from truestep.reference.training.stale_gradients import largest_stable_rate

DELAYS, STEPS, OPTIMUM = (0, 1, 2, 3, 7), 240, 0.5
# Curvatures on either side of the threshold.
SIDES = np.array([0.9, 1.1])


def experiment(kernel: Kernel, trial: Trial, later: int = 0) -> Evidence:
    """For each delay two parabolas at 9 and 11 tenths of the threshold; later: by so many."""
    found = [_delayed(kernel, tau, later) for tau in DELAYS]
    return Evidence.of([o for outcomes, _ in found for o in outcomes], [p for _, p in found])


def _delayed(kernel: Kernel, tau: int, later: int) -> tuple[list[Outcome], Point]:
    """The recursion e_{t+1} = e_t - a l e_{t-tau} followed, and whether it shrinks.

    It is linear, so what rounding errs of one step grows like the response to an impulse.
    """
    a = largest_stable_rate(1.0, tau)
    due = np.zeros((STEPS + 1, 2))
    response = np.zeros((STEPS + 1, 2))
    due[0], response[0] = 1.0, 1.0
    for t in range(STEPS):
        due[t + 1] = due[t] - a * SIDES * due[max(t - tau, 0)]
        response[t + 1] = response[t] - a * SIDES * (response[t - tau] if t >= tau else 0)
    responses, errors = np.abs(response).max(axis=1).tolist(), list[float]()
    kept = [np.full(2, OPTIMUM + 1)]
    outcomes: list[Outcome] = []
    for t in range(STEPS):
        then = kept[max(t - tau - later, 0)]
        g = SIDES * (then - OPTIMUM)
        # The rule divides its rate by the staleness.
        moved = kernel.outputs(
            {"params": [kept[t]], "then": [then], "gradients": [g], "tau": tau}, lr=a * max(1, tau)
        )["params"][0]
        errors.append(2 * rounding.of_step(kernel.u, kept[t], moved, a, g) + 2.0**-53 * 8)
        kept.append(np.asarray(moved))
        erring = rounding.carried(errors, responses)
        gap = float(np.abs(moved - OPTIMUM - due[t + 1]).max())
        change = 2 * erring / float(np.abs(due[t + 1]).max())
        outcomes.append(Outcome(gap / erring, f"delay {tau}, t = {t + 1}: the recursion", change))
    away = np.abs(np.array(kept) - OPTIMUM)
    early, last = away[STEPS // 4 : STEPS // 2].max(axis=0), away[-STEPS // 4 :].max(axis=0)
    outcomes.append(at_most(f"delay {tau}: shrinks below", float(last[0]), float(early[0])))
    outcomes.append(at_most(f"delay {tau}: grows above", float(early[1]), float(last[1])))
    got, want = float(away[-1, 1]), float(np.abs(due[-1, 1]))
    return outcomes, (tau + 1, got, want, (want - erring, want + erring))


DELAY_THRESHOLDS = Theorem(
    name="delay_thresholds",
    topic="batches",
    statement=(
        "With gradients tau steps late on a parabola of curvature l the steps a are stable if and "
        "only if 0 < a l < 2 sin(pi / (2 (2 tau + 1))): 2, 1, 0.618, 0.445, ... for tau = 0, 1, 2, "
        "3; asynchronous SGD with its rate divided by tau has tau times as much to go."
    ),
    source=(
        "S. Levin, R. May, Theor. Popul. Biol. 9, 1976, for the roots of z^(tau + 1) - z^tau + "
        "a l; W. Zhang, S. Gupta, X. Lian, J. Liu, IJCAI 2016, for the rule"
    ),
    subject=Subject(
        "stale_gradients",
        "training",
        dialect={"gradient": ("stale",), "rate": ("inverse",)},
        sets=("lr",),
    ),
    constants={"steps": STEPS, "below": 0.9, "above": 1.1},
    experiment=experiment,
    controls={
        "gradients one step later": partial(experiment, later=1),
        **spoilt(experiment, steps_1_percent_too_long=longer(1.01)),
    },
    axes=("tau + 1", "distance after 240 steps, above the threshold"),
    changed="an iterate",
)
