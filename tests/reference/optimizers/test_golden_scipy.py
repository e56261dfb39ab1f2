"""Quasi-Newton references beside SciPy's own code, in float64.

L-BFGS-B without bounds is Liu and Nocedal's L-BFGS: where its line search takes the first trial
step, its iterates are those of the reference. That step is 1 / |g| at first, optax's where |g| is
above 1. Its product with the inverse Hessian begins at the identity. SciPy's SR1 keeps the dense
matrix of the same pairs, with the same skip rule.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.optimize import SR1, LbfgsInvHessProduct, minimize

from truestep.reference.optimizers import lbfgs, sr1_cubic

SHAPES = ((2,), (6,), (2, 3))


def quartic(shape: tuple[int, ...], seed: int) -> Any:
    """A convex function of that shape, hardly curved anew: its value and gradient, and a start."""
    rng = np.random.default_rng(seed)
    n = int(np.prod(shape))
    root = np.eye(n) + 0.3 * rng.standard_normal((n, n))
    matrix, bent = root @ root.T, rng.random(n)

    def function(x: Any) -> Any:
        flat = np.ravel(x)
        value = flat @ matrix @ flat / 2 + 0.01 * np.sum(bent * flat**4)
        return value, (matrix @ flat + 0.04 * bent * flat**3).reshape(np.shape(x))

    start = rng.standard_normal(shape)
    return function, start * (2 / np.linalg.norm(function(start)[1]))


@pytest.mark.parametrize("memory", [1, 3, 10])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_five_steps_are_those_of_scipys_l_bfgs_b(shape: tuple[int, ...], memory: int) -> None:
    """As far as it takes the first trial step; differences below 1e-12."""
    compared = 0
    for seed in range(6):
        function, start = quartic(shape, seed)
        iterates, calls = [], []

        def counted(x: Any, function: Any = function, calls: Any = calls) -> Any:
            value, g = function(x)
            calls.append(x)
            return value, g.ravel()

        def seen(x: Any, iterates: Any = iterates, calls: Any = calls) -> None:
            iterates.append((np.array(x), len(calls)))

        options = {"maxcor": memory, "maxiter": 5, "ftol": 0.0, "gtol": 0.0}
        minimize(
            lambda x: counted(x.reshape(shape)), start.ravel(), jac=True, method="L-BFGS-B",
            callback=seen, options=options,
        )  # fmt: skip
        h = lbfgs.Hyper(memory=memory, first_step="l2", line_search="none")
        s, p = lbfgs.init(h, start), start
        for k, (due, evaluations) in enumerate(iterates):
            if evaluations != k + 2:
                break
            s, p = lbfgs.step(h, s, p, function)
            assert np.max(np.abs(p.ravel() - due)) < 1e-12
            compared += 1
    assert compared >= 20


@pytest.mark.parametrize("n", [1, 4, 9])
@pytest.mark.parametrize("pairs", [1, 3, 8])
def test_the_two_loops_are_scipys_product(n: int, pairs: int) -> None:
    """H g of the same pairs, from the identity."""
    rng = np.random.default_rng((n, pairs))
    steps = rng.standard_normal((pairs, n))
    changes = steps * rng.random((pairs, n)) + 0.01 * steps
    g = rng.standard_normal(n)
    rho = 1 / np.sum(steps * changes, axis=1)
    got = lbfgs.two_loop(steps, changes, rho, np.ones(()), g)
    due = LbfgsInvHessProduct(steps, changes) @ g
    assert np.max(np.abs(got - due)) < 1e-12 * max(1.0, float(np.max(np.abs(due))))


@pytest.mark.parametrize("curvature", [1.0, 0.3])
@pytest.mark.parametrize("skip", [1e-8, 0.3])
@pytest.mark.parametrize("n", [2, 5])
def test_the_pairs_of_sr1_are_scipys_matrix(n: int, skip: float, curvature: float) -> None:
    """B x of five pairs, of which the skip rule leaves out the same ones."""
    rng = np.random.default_rng((n, 7))
    h = sr1_cubic.Hyper(memory=10, skip=skip, curvature=curvature)
    dense = SR1(min_denominator=skip, init_scale=curvature)
    dense.initialize(n, "hess")
    s = sr1_cubic.init(h, np.zeros(n))
    for _ in range(5):
        moved, change = rng.standard_normal((2, n))
        dense.update(moved, change)
        kept = sr1_cubic.remembered(
            h, sr1_cubic.residuals(h, s), s.steps, s.changes, s.kept, moved, change
        )
        s = dataclasses.replace(s, **dict(zip(("steps", "changes", "kept"), kept, strict=True)))
        x = rng.standard_normal(n)
        got, due = sr1_cubic.times(h, sr1_cubic.residuals(h, s), x), dense.dot(x)
        assert np.max(np.abs(got - due)) < 1e-12 * max(1.0, float(np.max(np.abs(due))))
