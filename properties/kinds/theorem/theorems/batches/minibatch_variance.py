"""A batch of B has 1 / B of the variance, and less without replacement: by enumeration."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of the point after a step, over all batches; allowed: what rounding may change of an entry.

    off: how far the mean is from the step of the full gradient, in units of what is allowed.
    """

    covariance: Array
    allowed: float
    off: float

    def outcomes(self, due: Array, name: str) -> list[Outcome]:
        """Both moments judged, the second against the one due."""
        change = 2 * self.allowed / float(due[0, 0]) if due[0, 0] else np.inf
        gap = float(np.abs(self.covariance - due).max())
        return [
            Outcome(self.off, f"{name}: mean"),
            Outcome(gap / self.allowed, f"{name}: covariance", change),
        ]


def experiment(kernel: Kernel, trial: Trial, swapped: bool = False, sums: bool = False) -> Evidence:
    """One step from one point with every batch there is; swapped: drawn the other way.

    sums: of a batch the sum is taken. Nothing is drawn, so moments are exact to rounding.
    """
    rng = np.random.default_rng(8)
    q = least_squares.Problem(rng.standard_normal((EXAMPLES, 2)), rng.standard_normal(EXAMPLES))
    x = np.array([1.0, -0.5])
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for size in SIZES:
        found = _moments(kernel, q, x, list(combinations(range(EXAMPLES), size)), sums)
        due = LR**2 * least_squares.batch_covariance(q, x, size, replacement=swapped)
        outcomes += found.outcomes(due, f"batches of {size} without replacement")
        got, want = float(found.covariance[0, 0]), float(due[0, 0])
        points.append((size, got, want, (want - found.allowed, want + found.allowed)))
        if size <= 3:
            found = _moments(kernel, q, x, list(product(range(EXAMPLES), repeat=size)), sums)
            due = LR**2 * least_squares.batch_covariance(q, x, size, replacement=not swapped)
            outcomes += found.outcomes(due, f"batches of {size} with replacement")
    return Evidence.of(outcomes, points)


def _moments(
    kernel: Kernel, q: least_squares.Problem, x: Array, batches: Sequence[Sequence[int]], sums: bool
) -> _Moments:
    g = least_squares.sampled_gradients(q, x)[np.array(batches)]
    pulled = g.sum(axis=1) if sums else g.mean(axis=1)
    run = kernel.start(np.tile(x, (len(batches), 1)), lr=LR)
    before, after = run.p, run.step(pulled)
    # Beside the step's rounding what sums of products in float64 add here.
    own = 2.0**-53 * 256 * (1 + float(np.abs(pulled).max()) ** 2)
    error = rounding.of_step(kernel.u, before, after, LR, pulled) + own
    mean = after.mean(axis=0)
    due = before[0] - LR * least_squares.gradient(q, before[0])
    centred = after - mean
    spread = float(np.sqrt(np.mean(centred**2, axis=0).max()))
    allowed = 2 * error * spread + 2 * error**2 + own
    covariance = centred.T @ centred / len(batches)
    return _Moments(covariance, allowed, float(np.abs(mean - due).max()) / error)


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
            experiment,
            **{"gradients 1 permille too large": gradients(lambda g, t: 1.001 * np.asarray(g))},
        ),
    },
    axes=("B", "variance of the first coordinate, without replacement"),
    changed="the variance",
)
