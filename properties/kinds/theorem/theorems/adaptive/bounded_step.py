"""No gradients can make a step longer than lr times a constant: how that is tried."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from truestep.properties.kinds.theorem.theorems.drift import Drift
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, Numbers
from truestep.properties.kinds.theorem.theorems.theorem import Outcome, Point, Trial, at_most
from truestep.reference.validation import Array


class Found(NamedTuple):
    """What steps along given gradients showed."""

    tests: list[Outcome]
    points: list[Point]


def steps(
    kernel: Kernel, given: Numbers, start: Array, gradients: Iterator[Array]
) -> Iterator[tuple[Array, Array]]:
    """Of every step how far p moved, and how far that may stray.

    The way is a difference of two parameters, each within its error.
    """
    run = kernel.start(start, **given)
    drift = Drift(kernel, run.p, given)
    for g in gradients:
        before, error = run.p, drift.error
        moved = run.step(g) - before
        yield moved, error + drift.step(g)


def attained(
    kernel: Kernel,
    given: Numbers,
    gradients: Iterator[Array],
    due: Callable[[int], float],
    bound: float,
) -> Found:
    """A tensor of one element whose steps are known; the bound stands above them."""
    tests, points = list[Outcome](), list[Point]()
    for t, (moved, error) in enumerate(steps(kernel, given, np.array([3.0]), gradients), start=1):
        way, e = -float(moved[0]), float(error[0])
        change = float(2 * e / abs(due(t)))
        tests.append(Outcome(abs(way - due(t)) / e, f"step {t}: its length", change))
        tests.append(at_most(f"step {t}: bound", abs(way), bound, e))
        points.append((t, way, due(t), (due(t) - e, due(t) + e)))
    return Found(tests, points)


def never_passed(kernel: Kernel, given: Numbers, trial: Trial, bound: float) -> Iterator[Outcome]:
    """Random gradients of sizes over 12 powers of ten, with zeros between them."""
    rng = trial.rng()

    def gradients() -> Iterator[Array]:
        # The first is large, so that no second moment is zero.
        yield np.full(16, 2.0**8)
        for _ in range(trial.pick(32, 1024)):
            sizes = 10.0 ** rng.integers(-6, 7, 16) * (rng.uniform(size=16) < 0.6)
            yield rng.standard_normal(16) * sizes

    for t, (moved, error) in enumerate(
        steps(kernel, given, np.full(16, 3.0), gradients()), start=1
    ):
        i = int(np.argmax(np.abs(moved) - error))
        yield at_most(f"random step {t}", float(abs(moved[i])), bound, float(error[i]))
