"""SR1 with cubic regularization: the update's algebra, the model's root, acceptance."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from truestep.properties.arithmetic.exact import DIGITS, Exact
from truestep.reference.optimizers import sr1_cubic

RNG = np.random.default_rng(5)


def _exact_pairs(A: Any, steps: Any) -> sr1_cubic.State:
    """A state with the pairs s, A s in 60 digits."""
    S, Y = Exact.of(steps), Exact.of(steps) @ Exact.of(A)
    return sr1_cubic.State(len(steps), S, Y, Exact.of(np.ones(len(steps))), Exact.of(1.0))


def _agree(a: Any, b: Any) -> bool:
    """Equal but for the last ten of the working digits."""
    unit = mpmath.mpf(10) ** (10 - DIGITS)
    return all(abs(x - y) <= unit for x, y in zip(a.x.reshape(-1), b.x.reshape(-1), strict=True))


def test_b_maps_every_step_to_its_change_on_a_quadratic() -> None:
    """B s_i = y_i for all pairs kept, not the last alone; after n pairs B is A, definite or not."""
    with mpmath.workdps(DIGITS):
        for spectrum in ([3.0, 1.0, 0.5, 0.1], [2.0, -1.0, 0.5, -0.25]):
            root = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
            A = root @ np.diag(spectrum) @ root.T
            A = (A + A.T) / 2
            h = sr1_cubic.Hyper(curvature=1.5)
            s = _exact_pairs(A, RNG.standard_normal((4, 4)))
            for m in range(1, 5):
                part = sr1_cubic.State(m, s.steps[:m], s.changes[:m], s.kept[:m], s.mu)
                vectors = sr1_cubic.residuals(h, part)
                assert len(vectors) == m
                for i in range(m):
                    assert _agree(sr1_cubic.times(h, vectors, s.steps[i]), s.changes[i])
            for e in np.eye(4):
                assert _agree(sr1_cubic.times(h, vectors, Exact.of(e)), Exact.of(A @ e))


def test_a_change_that_b_foresees_is_skipped() -> None:
    """y = B s gives v = 0: nothing to learn, nothing kept; so is v orthogonal to s."""
    h = sr1_cubic.Hyper(curvature=2.0, memory=2)
    pairs = (np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(2))
    s = np.array([1.0, 2.0])
    for y, due in ((2 * s, 0), (2 * s + [2.0, -1.0], 0), (3 * s, 1), (-s, 1)):
        assert np.count_nonzero(sr1_cubic.remembered(h, [], *pairs, s, y)[2]) == due


@pytest.mark.parametrize("eigenvalue", [3.0, 0.5, 0.0, -0.5, -2.0])
@pytest.mark.parametrize("mu", [0.25, 1.0, 8.0])
def test_the_root_solves_the_models_equation(eigenvalue: float, mu: float) -> None:
    """g + lambda s + mu |s| s = 0 for the s with the sign of -g: exact in short dyadics."""
    for s in (0.5, -3.0, 4.0):
        g = -(eigenvalue * s + mu * abs(s) * s)
        if g * s >= 0:
            # A negative eigenvalue's other root lies beyond: the model rises again from there on.
            continue
        assert sr1_cubic.root(np.float64(eigenvalue), np.float64(mu), np.array([g]))[0] == s
    assert sr1_cubic.root(np.float64(eigenvalue), np.float64(mu), np.zeros(1))[0] == 0


def test_the_models_step_solves_its_equation_in_every_direction() -> None:
    """U's and the complement's parts: g + B s + mu |.| . = 0 to sixty digits, m(s) < 0."""
    h = sr1_cubic.Hyper(curvature=0.5)
    with mpmath.workdps(DIGITS):
        g, mu = Exact.of([0.3, -1.2, 2.0]), Exact.of(0.7)
        s, model = sr1_cubic.model_step(h, [], mu, g)
        norm = np.sqrt(s @ s)
        assert _agree(g + h.curvature * s + mu * norm * s, Exact.of(np.zeros(3)))
        assert model < 0


def _orthogonal() -> tuple[Any, Any]:
    """Rank-one terms along two axes: B = diag(1.5, -2, 1) from curvature 1."""
    first, second = np.array([1.0, 0.0, 0.0]), np.array([0.0, 3.0, 0.0])
    return [(first, np.float64(2.0)), (second, np.float64(-3.0))], np.array([1.5, -2.0, 1.0])


def test_the_step_in_the_eigenbasis_is_the_coordinates_own() -> None:
    """B diagonal: each coordinate of s is the root of its own equation, and m(s) is their sum."""
    vectors, diagonal = _orthogonal()
    h, g, mu = sr1_cubic.Hyper(), np.array([1.0, -0.5, 2.0]), np.float64(1.0)
    s, model = sr1_cubic.model_step(h, vectors, mu, g)
    due = sr1_cubic.root(diagonal, mu, g)
    np.testing.assert_array_equal(np.sign(s), -np.sign(g))
    # The basis has unit vectors, so products with it are exact; the sum's order is not fixed.
    np.testing.assert_array_equal(s, due)
    assert model < 0


def test_steps_are_accepted_by_the_ratio_and_mu_follows() -> None:
    """Better than foreseen halves mu; worse keeps p and multiplies mu by (gamma1 + gamma2) / 2."""
    h = sr1_cubic.Hyper(mu0=4.0, gamma1=1.5, gamma2=2.5, memory=1)
    p = np.array([1.0])
    falling = (np.float64(0.0), np.ones(1)), (np.float64(-9.0), np.ones(1))
    rising = (np.float64(0.0), np.ones(1)), (np.float64(1.0), np.ones(1))
    for values, moves, mu in ((falling, True, 2.0), (rising, False, 8.0)):
        s, q = sr1_cubic.step(h, sr1_cubic.init(h, p), p, lambda x, v=values: v[int(x[0] != 1.0)])  # type: ignore[misc]
        assert (q[0] < 1.0) == moves
        assert s.mu == mu and s.t == 1


def test_between_the_thresholds_mu_grows_slowly() -> None:
    """eta1 <= ratio <= eta2: p moves and mu is multiplied by (1 + gamma1) / 2."""
    h = sr1_cubic.Hyper(gamma1=2.0, gamma2=4.0)
    p = np.array([1.0])
    model = sr1_cubic.model_step(h, [], np.float64(1.0), np.ones(1))[1]

    def half_as_good(x: Any) -> tuple[Any, Any]:
        return np.float64(0.0 if x[0] == 1.0 else model / 2), np.ones(1)

    s, q = sr1_cubic.step(h, sr1_cubic.init(h, p), p, half_as_good)
    assert q[0] < 1.0 and s.mu == 1.5


def test_pairs_of_rejected_steps_are_kept_on_request() -> None:
    """With "every" B learns from a step that was not made, with "accepted" it does not."""
    p = np.array([1.0, -1.0])

    def worse(x: Any) -> tuple[Any, Any]:
        return np.float64(np.sum(np.abs(x - p))), 3 * (x - p) + 1.0

    for pairs, due in (("accepted", 0), ("every", 1)):
        h = sr1_cubic.Hyper(pairs=pairs)  # type: ignore[arg-type]
        s, q = sr1_cubic.step(h, sr1_cubic.init(h, p), p, worse)
        assert q is p and np.count_nonzero(s.kept) == due


def test_zero_gradients_and_empty_tensors_leave_everything_as_it_is() -> None:
    """Not even t counts: the same state and the same p come back."""
    h = sr1_cubic.Hyper()
    for p in (np.ones(3), np.ones((2, 0))):
        s = sr1_cubic.init(h, p)
        new, q = sr1_cubic.step(h, s, p, lambda x: (np.float64(1.0), np.zeros_like(x)))
        assert new is s and q is p


def test_accepted_values_never_rise() -> None:
    """Along a curved valley: every step that moves goes down by eta1 of what was foreseen."""

    def valley(x: Any) -> tuple[Any, Any]:
        a, b = 1 - x[0], x[1] - x[0] * x[0]
        return a * a + 10 * b * b, np.array([-2 * a - 40 * b * x[0], 20 * b])

    h = sr1_cubic.Hyper()
    p = np.array([-1.2, 1.0])
    s, moved = sr1_cubic.init(h, p), 0
    for _ in range(40):
        before = p
        s, p = sr1_cubic.step(h, s, p, valley)
        if p is not before:
            moved += 1
            assert valley(p)[0] < valley(before)[0]
    assert moved > 10 and valley(p)[0] < valley(np.array([-1.2, 1.0]))[0]
