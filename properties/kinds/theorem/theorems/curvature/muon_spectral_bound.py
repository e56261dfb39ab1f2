"""Muon with weight decay keeps the spectral norm in bounds, whatever the gradients."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import numbers
from truestep.properties.kinds.theorem.theorems.curvature.newton_schulz import (
    DIALECT,
    GIVEN,
    largest,
    mapped,
    scale,
)
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.replicas import Replicas
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

LR, DECAY, SHAPE = 0.25, 0.5, (3, 4)
LEFT, RIGHT = np.array([0.6, 0.8, 0.0]), np.array([1.0, 2.0, 2.0, 0.0]) / 3
ALL = {**GIVEN, "lr": LR, "weight_decay": DECAY}


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """One gradient of rank one for ever, then random ones."""
    made, points = _one_gradient(kernel, trial.pick(6, 64))
    return Evidence.of([*made, *_random(kernel, trial)], points)


def _one_gradient(kernel: Kernel, T: int) -> tuple[list[Outcome], list[Point]]:
    """Its singular value is all of its norm, whatever momentum: each step has h(1) of it."""
    direction, kept = np.outer(LEFT, RIGHT), 1 - LR * DECAY
    run = kernel.start(np.zeros(SHAPE) + 2.0 * direction, **ALL)
    replicas, start = Replicas(kernel, run.p, ALL), run.p
    step = float(mapped(np.array(1.0))) * scale(kernel, SHAPE) / DECAY
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, T + 1):
        x, error = run.step(direction), replicas.step(direction)
        due = kept**t * start - step * (1 - kept**t) * direction
        # The direction is rounded to the format in each step's gradient.
        e = float(np.linalg.norm(error)) + 4 * kernel.u * step
        gap, size = float(np.linalg.norm(x - due)), float(np.linalg.norm(due, 2))
        tests.append(Outcome(gap / e, f"{t} equal gradients: p", 2 * e / step))
        if t & (t - 1) == 0:
            points.append((t, float(np.linalg.norm(x, 2)), size, (size - e, size + e)))
    return tests, points


def _random(kernel: Kernel, trial: Trial) -> list[Outcome]:
    """The bound takes the largest singular value that the iteration can make."""
    rng, kept = trial.rng(), 1 - LR * DECAY
    run = kernel.start(5.0 * np.eye(*SHAPE), **ALL)
    replicas, begun = Replicas(kernel, run.p, ALL), float(np.linalg.norm(run.p, 2))
    end, tests = largest() * scale(kernel, SHAPE) / DECAY, list[Outcome]()
    for t in range(1, trial.pick(10, 64) + 1):
        G = (rng.standard_normal(SHAPE) * 10.0 ** rng.integers(-3, 4)).astype(np.float32)
        x, error = run.step(G.astype(np.float64)), replicas.step(G.astype(np.float64))
        bound = kept**t * begun + end * (1 - kept**t)
        size = float(np.linalg.norm(x, 2))
        tests.append(at_most(f"{t} random gradients", size, bound, float(np.linalg.norm(error))))
    return tests


MUON_SPECTRAL_BOUND = Theorem(
    name="muon_spectral_bound",
    topic="curvature",
    statement=(
        "Whatever the gradients, Muon with weight_decay d has |W_t|_2 <= (1 - lr d)^t |W_0|_2 + "
        "(1 - (1 - lr d)^t) c h / d, h the most that its iteration makes of a singular value, c "
        "its factor for the shape; equal gradients of rank one approach c h(1) / d exactly so."
    ),
    source=(
        "L. Chen, J. Li, Q. Liu, Muon Optimizes Under Spectral Norm Constraints, 2025 "
        "(arXiv:2506.15054), by induction, with the iteration in the polar factor's place"
    ),
    subject=Subject(
        "muon",
        dialect={**DIALECT, "decay": ("before", "in_step")},
        sets=("lr", "weight_decay", *GIVEN),
    ),
    constants={"lr": LR, "weight_decay": DECAY, "h": largest()},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "steps six times as long, the same decay in each": numbers(
                lambda given, _: {**given, "lr": 6 * LR, "weight_decay": DECAY / 6}
            ),
            "a quarter of the decay": numbers(
                lambda given, _: {**given, "weight_decay": DECAY / 4}
            ),
        },
    ),
    axes=("t", "spectral norm"),
    changed="the spectral norm",
)
