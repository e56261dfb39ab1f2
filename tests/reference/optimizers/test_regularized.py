"""FTRL-Proximal's closed form against the problem that it solves."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.reference.optimizers import ftrl


@pytest.mark.parametrize(("lambda_1", "lambda_2", "beta"), [(0.0, 0.0, 0.0), (0.7, 0.3, 1.0)])
def test_every_point_minimizes_the_penalized_past(
    lambda_1: float, lambda_2: float, beta: float
) -> None:
    """p_t minimizes sum g w + sum sigma / 2 (w - p_s)^2 + lambda_1 |w| + ..., all terms anew."""
    h = ftrl.Hyper(lr=0.3, beta=beta, lambda_1=lambda_1, lambda_2=lambda_2)
    rng = np.random.default_rng(3)
    p = np.zeros(50)
    s, points, gradients = ftrl.init(h, p), [], []
    for _ in range(6):
        g = rng.standard_normal(50)
        points.append(p)
        gradients.append(g)
        s, p = ftrl.step(h, s, p, g)
        roots = np.sqrt(np.cumsum(np.square(gradients), axis=0))
        sigmas = np.diff(roots, axis=0, prepend=0.0) / h.lr
        slope = np.sum(gradients, axis=0) + np.sum(sigmas * (p - np.array(points)), axis=0)
        slope += (beta / h.lr + lambda_2) * p
        zero = p == 0
        np.testing.assert_allclose(slope[~zero], -lambda_1 * np.sign(p[~zero]), atol=1e-12)
        assert np.all(np.abs(slope[zero]) <= lambda_1)
        assert zero.any() == (lambda_1 > 0)
