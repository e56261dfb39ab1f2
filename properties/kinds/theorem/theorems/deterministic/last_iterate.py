"""The last iterate: constant steps leave it a step away, linearly decaying ones do not."""

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import rate
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

HORIZONS, OPTIMUM = (10, 50, 200), 0.75
# How far from x* runs start: D = 1 and less.
STARTS = np.arange(1, 401) / 400


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The worst last iterate of 400 starts on |x - x*|, under both schedules."""
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for N in HORIZONS:
        decaying = [(N + 1 - k) / (N + 1) ** 1.5 for k in range(1, N + 1)]
        gap, erring = _last(kernel, decaying)
        bound = (N + 1) ** -1.5
        outcomes.append(at_most(f"N = {N}: linear decay", gap, bound, erring))
        points.append((N, gap, bound, (0.0, bound + erring)))
        constant = [N**-0.5] * N
        gap, erring = _last(kernel, constant)
        # Starts 1 / 400 apart fill [0, a] modulo a, up to as much, from where they alternate.
        least = N**-0.5 - 1 / 400 - erring
        outcomes.append(at_most(f"N = {N}: constant steps", least, gap))
    return Evidence.of(outcomes, points)


def _last(kernel: Kernel, steps: list[float]) -> tuple[float, float]:
    """The largest last distance, and a bound on what rounding moves it.

    An error of one step moves the later iterates by as much: within a step of x* the bounds hold
    anew whatever came before.
    """
    run, erring = kernel.start(OPTIMUM + STARTS), 0.0
    for lr in steps:
        before: Array = run.p
        g = np.sign(before - OPTIMUM)
        x = run.step(g, lr=lr)
        erring += rounding.of_step(kernel.u, before, x, lr, g)
    return float(np.abs(run.p - OPTIMUM).max()), erring


LAST_ITERATE = Theorem(
    name="last_iterate",
    topic="deterministic",
    statement=(
        "On |x - x*| from at most D = 1 away the last of N iterates with the linearly decaying "
        "steps (N + 1 - k) / (N + 1)^(3/2) is within (N + 1)^(-3/2) of x*, below the bound "
        "(N + 1)^(-1/2) of any convex f; with N constant steps N^(-1/2) it may be a whole step "
        "away."
    ),
    source=(
        "M. Zamani, F. Glineur, arXiv:2307.11134, 2023, for the bound; A. Defazio et al., "
        "arXiv:2310.07831, 2023, for the decay"
    ),
    subject=Subject("sgd"),
    constants={"D": 1.0, "G": 1.0, "starts": float(len(STARTS))},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "constant steps in the place of the decay": rate(lambda lr, t: max(lr, 0.05)),
            "steps 1 / sqrt(t)": rate(lambda lr, t: 1 / float(np.sqrt(t + 1))),
        },
    ),
    axes=("N", "worst distance of the last iterate"),
    changed="the last step",
)
