"""The convex problems of the reference as trials: 64 numbers as a matrix of 8 x 8, noisy gradients.

All have a known minimum; a run is judged by how far above it the value is at its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from truestep.fast.protocol import Array
from truestep.reference.problems import absolute_value, huber, least_squares, logistic, quadratic
from truestep.reports.compare.outcome import Key, Outcome, outcome
from truestep.reports.compare.subjects import Trainer, factors, subject

SHAPE = (8, 8)
STEPS = 400
_D, _EXAMPLES, _BATCH = 64, 256, 16
# Noise of each number of a gradient where no examples are drawn.
_NOISE = 0.1


@dataclass(frozen=True, slots=True)
class Trial:
    """A problem: its value, a stochastic gradient at x, the minimizer and the least value."""

    value: Callable[[Array], float]
    gradient: Callable[[Array, np.random.Generator], Array]
    optimum: Array
    minimum: float


def _absolute_value() -> Trial:
    q = absolute_value.Problem(_D)
    of = absolute_value.constants(q)
    return Trial(
        lambda x: float(absolute_value.value(q, x)),
        lambda x, rng: absolute_value.gradient(q, x) + _NOISE * rng.standard_normal(_D),
        of.optimum,
        of.minimum,
    )


def _huber() -> Trial:
    q = huber.Problem(L=1.0, r=0.1)
    return Trial(
        lambda x: float(np.sum(huber.value(q, x))),
        lambda x, rng: huber.gradient(q, x) + _NOISE * rng.standard_normal(_D),
        np.zeros(_D),
        0.0,
    )


def _examples(seed: int) -> tuple[Array, Array]:
    """Examples whose second moments spread over two decades, and what they truly weigh."""
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(0.1, 1.0, _D)
    return rng.standard_normal((_EXAMPLES, _D)) * sizes, rng.standard_normal(_D)


def _least_squares() -> Trial:
    A, truth = _examples(1)
    y = A @ truth + _NOISE * np.random.default_rng(2).standard_normal(_EXAMPLES)
    q = least_squares.Problem(A, y)
    of = least_squares.constants(q)

    def gradient(x: Array, rng: np.random.Generator) -> Array:
        rows = rng.integers(0, _EXAMPLES, _BATCH)
        g: Array = least_squares.gradient(least_squares.Problem(A[rows], y[rows]), x)
        return g

    return Trial(lambda x: float(least_squares.value(q, x)), gradient, of.optimum, of.minimum)


def _logistic() -> Trial:
    A, truth = _examples(3)
    y = np.where(A @ truth + np.random.default_rng(4).standard_normal(_EXAMPLES) > 0, 1.0, -1.0)
    q = logistic.Problem(A, y, 1e-3)
    of = logistic.constants(q)

    def gradient(x: Array, rng: np.random.Generator) -> Array:
        rows = rng.integers(0, _EXAMPLES, _BATCH)
        g: Array = logistic.gradient(logistic.Problem(A[rows], y[rows], q.l2), x)
        return g

    return Trial(lambda x: float(logistic.value(q, x)), gradient, of.optimum, of.minimum)


def _quadratic() -> Trial:
    spectrum = np.geomspace(0.01, 1.0, _D)
    q = quadratic.with_spectrum(spectrum.tolist(), [_NOISE**2] * _D, np.ones(_D).tolist(), seed=5)
    return Trial(
        lambda x: float(quadratic.value(q, x)),
        lambda x, rng: quadratic.noisy_gradient(q, x, rng.standard_normal(_D)),
        q.optimum,
        0.0,
    )


_MAKERS: Mapping[str, Callable[[], Trial]] = {
    "absolute_value": _absolute_value,
    "huber": _huber,
    "least_squares": _least_squares,
    "logistic": _logistic,
    "quadratic": _quadratic,
}
PROBLEMS = tuple(_MAKERS)


@cache
def trial(problem: str) -> Trial:
    """The problem of that name."""
    return _MAKERS[problem]()


def run(key: Key, steps: int = STEPS) -> Outcome:
    """One run; the seed is of the start and of the noise, the same for every rule and rate."""
    of = trial(key.problem)
    rng = np.random.default_rng(key.seed)
    x = of.optimum + rng.standard_normal(_D)
    first = of.value(x) - of.minimum
    trainer = Trainer(subject(key.rule), key.rate, [x.reshape(SHAPE)])
    start = time.process_time()
    for factor in factors(steps):
        x = np.asarray(trainer.params[0], np.float64).reshape(-1)
        if not np.all(np.isfinite(x)):
            break
        with np.errstate(all="ignore"):
            g = of.gradient(x, rng)
        trainer.step([g.reshape(SHAPE)], factor)
    with np.errstate(all="ignore"):
        at = np.asarray(trainer.judged()[0], np.float64).reshape(-1)
        gap = of.value(at) - of.minimum
    return outcome(gap, first, time.process_time() - start)
