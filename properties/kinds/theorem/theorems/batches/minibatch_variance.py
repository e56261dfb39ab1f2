"""A batch of B has 1 / B of the variance, and less without replacement: by enumeration."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations, product

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import gradients
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
from truestep.reference.problems import least_squares
from truestep.reference.validation import Array

EXAMPLES, LR = 7, 0.25
SIZES = (1, 2, 3, 5, 7)


def experiment(kernel: Kernel, trial: Trial, swapped: bool = False, sums: bool = False) -> Evidence:
    """One step from one point with every batch there is; swapped: drawn the other way.

    sums: of a batch the sum is taken. Nothing is drawn, so covariances are exact to rounding.
    """
    rng = np.random.default_rng(8)
    q = least_squares.Problem(rng.standard_normal((EXAMPLES, 2)), rng.standard_normal(EXAMPLES))
    x = np.array([1.0, -0.5])
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for size in SIZES:
        without = list(combinations(range(EXAMPLES), size))
        found = _covariance(kernel, q, x, without, sums)
        outcomes.append(_compared(q, x, size, found, replacement=swapped))
        got, due, allowed = (float(v) for v in (found[0][0, 0], _due(q, x, size, False), found[1]))
        points.append((size, got, due, (due - allowed, due + allowed)))
        if size <= 3:
            replaced = list(product(range(EXAMPLES), repeat=size))
            found = _covariance(kernel, q, x, replaced, sums)
            outcomes.append(_compared(q, x, size, found, replacement=not swapped))
    return Evidence.of(outcomes, points)


def _covariance(
    kernel: Kernel, q: least_squares.Problem, x: Array, batches: Sequence[Sequence[int]], sums: bool
) -> tuple[Array, float]:
    """Of the point after a step, over all batches, and what rounding may change of an entry."""
    g = least_squares.sampled_gradients(q, x)[np.array(batches)]
    pulled = g.sum(axis=1) if sums else g.mean(axis=1)
    run = kernel.start(np.tile(x, (len(batches), 1)), lr=LR)
    before, after = run.p, run.step(pulled)
    error = rounding.of_step(kernel.u, before, after, LR, pulled)
    centred = after - after.mean(axis=0)
    spread = float(np.sqrt(np.mean(centred**2, axis=0).max()))
    return centred.T @ centred / len(batches), 2 * error * spread + 2 * error**2


def _due(q: least_squares.Problem, x: Array, size: int, replacement: bool) -> float:
    return float(LR**2 * least_squares.batch_covariance(q, x, size, replacement)[0, 0])


def _compared(
    q: least_squares.Problem, x: Array, size: int, found: tuple[Array, float], replacement: bool
) -> Outcome:
    got, allowed = found
    due = LR**2 * least_squares.batch_covariance(q, x, size, replacement)
    # The sums of products here, in float64.
    allowed += 2.0**-53 * 256 * float(np.abs(LR**2 * q.A).max() + np.abs(due).max())
    how = "with" if replacement else "without"
    change = 2 * allowed / float(due[0, 0]) if due[0, 0] else np.inf
    gap = float(np.abs(got - due).max())
    return Outcome(gap / allowed, f"batches of {size} {how} replacement", change)


MINIBATCH_VARIANCE = Theorem(
    name="minibatch_variance",
    topic="batches",
    statement=(
        "After one step of size a the point has the covariance a^2 V / B over all batches of B "
        "examples drawn with replacement, and a^2 V / B (N - B) / (N - 1) over those without, of N "
        "examples whose gradients have covariance V."
    ),
    source="W. G. Cochran, Sampling Techniques, 1977, theorem 2.2",
    subject=Subject("sgd"),
    constants={"N": EXAMPLES, "a": LR},
    experiment=experiment,
    controls={
        "drawing with replacement taken for drawing without": partial(experiment, swapped=True),
        "sums of batches in the place of means": partial(experiment, sums=True),
        **spoilt(
            experiment, **{"gradients 1 permille too large": gradients(lambda g, t: 1.001 * g)}
        ),
    },
    axes=("B", "variance of the first coordinate, without replacement"),
    changed="the variance",
)
