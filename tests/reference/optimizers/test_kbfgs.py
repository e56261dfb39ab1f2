"""K-BFGS: an independent route in 40 digits, and the laws of its two quasi-Newton matrices.

Numbers of two routes agree where ten decimals of both print alike: for these inputs the routes
differ by rounding alone, below 1e-13, and no decimal is lost to a carry.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

from truestep.reference.optimizers import kbfgs

mp.dps = 40
RNG = np.random.default_rng(9)
P = RNG.standard_normal((3, 4))
GRADIENTS = RNG.standard_normal((4, 3, 4))
NAMES = ("outputs", "outputs_after", "derivatives", "derivatives_after")
BATCHES = [
    {"activations": RNG.standard_normal((8, 4))}
    | {name: RNG.standard_normal((8, 3)) for name in NAMES}
    for _ in GRADIENTS
]
MU = 0.5  # the root of the damping 0.25
H = kbfgs.Hyper(lr=0.5, momentum=0.5, ema=0.75, damping=0.25, weight_decay=0.125)


def _digits(x: Any) -> list[str]:
    """Every element to ten decimals, zero without a sign."""
    exact = isinstance(x, mpmath.matrix)
    values = [x[i, j] for i in range(x.rows) for j in range(x.cols)] if exact else np.ravel(x)
    printed = [f"{float(v):.10f}" for v in values]
    return [text.lstrip("-") if float(text) == 0 else text for text in printed]


def _matrix(x: Any) -> Any:
    """x in 40 digits; a vector is a column."""
    return mpmath.matrix(np.asarray(x).tolist())


def _mean(x: Any) -> Any:
    """The mean of the rows in 40 digits, as a column."""
    x = _matrix(x)
    return x.T * mp.ones(x.rows, 1) / x.rows


def _dot(x: Any, y: Any) -> Any:
    return (x.T * y)[0]


def _run(h: Any, steps: int = len(GRADIENTS)) -> tuple[Any, Any]:
    s, p = kbfgs.init(h, P), P
    for g, batch in zip(GRADIENTS[:steps], BATCHES, strict=False):
        s, p = kbfgs.step(h, s, p, g, **batch)
    return s, p


def _direct(b: Any, s: Any, y: Any) -> Any:
    """BFGS on the matrix itself, not on its inverse."""
    bs = b * s
    return b - bs * bs.T / _dot(s, bs) + y * y.T / _dot(s, y)


def _damped(h: Any, b: Any, s: Any, y: Any) -> tuple[Any, Any]:
    """Both dampings, the first with H y as the solution of B x = y."""
    hy = mp.lu_solve(b, y)
    sy, yhy = _dot(s, y), _dot(y, hy)
    if sy < mp.mpf("0.2") * yhy:
        theta = mp.mpf("0.8") * yhy / (yhy - sy)
        s = theta * s + (1 - theta) * hy
    if h.second_damping == "levenberg_marquardt":
        return s, y + s * MU
    if _dot(s, y) < MU * _dot(s, s):
        nu = (1 - MU) * _dot(s, s) / (_dot(s, s) - _dot(s, y))
        y = nu * y + (1 - nu) * s
    return s, y


@pytest.mark.parametrize("second_damping", ["powell", "levenberg_marquardt"])
@pytest.mark.parametrize("decay", ["coupled", "before"])
def test_kbfgs_by_direct_matrices_in_40_digits(decay: str, second_damping: str) -> None:
    """Four steps with B_a and B_g in the place of their inverses, each solved for."""
    h = dataclasses.replace(H, decay=decay, second_damping=second_damping)  # type: ignore[arg-type]
    s, p = _run(h)
    x, m, a = _matrix(P), mp.zeros(3, 4), mp.zeros(4)
    b_a, b_g, s_g, y_g = mp.eye(4) * MU, mp.eye(3), mp.zeros(3, 1), mp.zeros(3, 1)
    for gradient, batch in zip(GRADIENTS, BATCHES, strict=True):
        g = _matrix(gradient)
        if decay == "coupled":
            g = g + x / 8
        else:
            x = x * mp.mpf(1 - 0.0625)
        m = (m + g) / 2
        x = x - mp.inverse(b_g) * m * mp.inverse(b_a) / 2
        s_g = (3 * s_g + _mean(batch["outputs_after"]) - _mean(batch["outputs"])) / 4
        y_g = (3 * y_g + _mean(batch["derivatives_after"]) - _mean(batch["derivatives"])) / 4
        b_g = _direct(b_g, *_damped(h, b_g, s_g, y_g))
        acts = _matrix(batch["activations"])
        a = (3 * a + acts.T * acts / 8) / 4
        s_a = mp.lu_solve(b_a, _mean(batch["activations"]))
        b_a = _direct(b_a, s_a, a * s_a + s_a * MU)
    for got, due in (
        (p, x),
        (s.m, m),
        (s.factor_a, a),
        (s.inverse_a, mp.inverse(b_a)),
        (s.inverse_g, mp.inverse(b_g)),
        (s.s_g, s_g),
        (s.y_g, y_g),
    ):
        assert _digits(got) == _digits(due)
    seen = kbfgs.observables(h, s, p)
    assert sorted(seen) == sorted({*(f.name for f in dataclasses.fields(s)), "p"} - {"t"})


def test_kbfgs_satisfies_both_secant_equations() -> None:
    """H_a (A + mu I) s_a = s_a and H_g y = s, of the damped pair, after every step."""
    s, p = kbfgs.init(H, P), P
    for g, batch in zip(GRADIENTS, BATCHES, strict=True):
        old = s
        s, p = kbfgs.step(H, s, p, g, **batch)
        s_a = old.inverse_a @ batch["activations"].mean(axis=0)
        assert _digits(s.inverse_a @ (s.factor_a + MU * np.eye(4)) @ s_a) == _digits(s_a)
        left, right = kbfgs.damped(H, old.inverse_g, s.s_g, s.y_g)
        assert _digits(s.inverse_g @ right) == _digits(left)


def _pairs(count: int) -> Any:
    """A positive definite matrix, and pairs of every angle and of many sizes."""
    for _ in range(count):
        root = RNG.standard_normal((4, 4))
        s, y = RNG.standard_normal((2, 4)) * 10.0 ** RNG.integers(-2, 3, (2, 1))
        yield root @ root.T + np.eye(4), s, y


def test_the_first_damping_is_powells() -> None:
    """s'y >= 0.2 y'Hy: such pairs are left as they are, the others are brought to equality."""
    kinds = set()
    for matrix, s, y in _pairs(100):
        h = dataclasses.replace(H, second_damping="levenberg_marquardt")
        left, right = kbfgs.damped(h, matrix, s, y)
        np.testing.assert_array_equal(right, y + MU * left)
        curvature = y @ matrix @ y
        as_it_was = bool(s @ y >= 0.2 * curvature)
        kinds.add(as_it_was)
        if as_it_was:
            np.testing.assert_array_equal(left, s)
        else:
            assert f"{left @ y / curvature:.10f}" == "0.2000000000"
    assert kinds == {True, False}


def test_the_second_damping_bounds_the_inverse_matrix() -> None:
    """s'y >= mu s's, by equality where it had to be brought there, whatever the pair was."""
    kinds = set()
    for matrix, s, y in _pairs(100):
        left, right = kbfgs.damped(H, matrix, s, y)
        ratio = (left @ right) / (left @ left)
        as_it_was = bool(left @ y >= MU * (left @ left))
        kinds.add(as_it_was)
        if as_it_was:
            np.testing.assert_array_equal(right, y)
        else:
            assert f"{ratio:.10f}" == "0.5000000000"
    assert kinds == {True, False}


def test_kbfgss_matrices_stay_positive_definite() -> None:
    """Through a hundred steps of unrelated batches of many sizes; undamped pairs would not do."""
    h = dataclasses.replace(H, ema=0.25)
    s, p, undamped = kbfgs.init(h, P), P, np.eye(3)
    for _ in range(100):
        batch = {
            name: RNG.standard_normal(x.shape) * 10.0 ** RNG.integers(-2, 2)
            for name, x in BATCHES[0].items()
        }
        s, p = kbfgs.step(h, s, p, GRADIENTS[0], **batch)
        for inverse in (s.inverse_a, s.inverse_g):
            assert np.linalg.eigvalsh(inverse)[0] > 0
            np.testing.assert_array_equal(inverse, inverse.T)
        if np.linalg.eigvalsh(undamped)[0] > 0:
            hy, r = undamped @ s.y_g, 1 / (s.s_g @ s.y_g)
            left = np.eye(3) - r * np.outer(s.s_g, s.y_g)
            undamped = left @ undamped @ left.T + r * np.outer(s.s_g, s.s_g)
    assert np.linalg.eigvalsh(undamped)[0] <= 0 and hy.shape == (3,)


def test_kbfgs_moves_by_a_kronecker_product() -> None:
    """vec(delta) = -lr (H_g x H_a) vec(M), by rows; the batch of the second pass has no say."""
    s, p = _run(H, 3)
    m, new = kbfgs.moved(H, s, p, GRADIENTS[3])
    whole = np.kron(s.inverse_g, s.inverse_a)
    assert _digits(new) == _digits(p.ravel() - 0.5 * whole @ m.ravel())
    stepped, q = kbfgs.step(H, s, p, GRADIENTS[3], **BATCHES[1])
    np.testing.assert_array_equal(q, new)
    np.testing.assert_array_equal(stepped.m, m)


def test_warming_inverts_the_second_moment_of_all_inputs() -> None:
    """H_a (A + mu I) = I, as the authors begin."""
    activations = np.concatenate([batch["activations"] for batch in BATCHES])
    s = kbfgs.warmed(H, kbfgs.init(H, P), activations)
    assert _digits(s.factor_a) == _digits(activations.T @ activations / 32)
    assert _digits(s.inverse_a @ (s.factor_a + MU * np.eye(4))) == _digits(np.eye(4))


def test_pairs_without_curvature_are_left_out() -> None:
    """Zero batches change neither matrix; the authors' code leaves out flat pairs too."""
    s = kbfgs.init(H, P)
    zeros = {name: 0 * x for name, x in BATCHES[0].items()}
    new, _ = kbfgs.step(H, s, P, GRADIENTS[0], **zeros)
    np.testing.assert_array_equal(new.inverse_a, s.inverse_a)
    np.testing.assert_array_equal(new.inverse_g, s.inverse_g)
    matrix, e = np.eye(2), np.array([1.0, 0.0])
    for skip, large, changed in (
        ("nonpositive", 1e6, True),
        ("flat", 1e6, False),
        ("flat", 1.0, True),
    ):
        h = dataclasses.replace(H, skip=skip)  # type: ignore[arg-type]
        got = kbfgs.updated(h, matrix, e, 0.5 * e, large * e)
        assert bool(np.any(got != matrix)) is changed
    np.testing.assert_array_equal(kbfgs.updated(H, matrix, e, -e, e), matrix)


def test_nans_reach_what_they_enter() -> None:
    """A nan in g makes p nan, one in a batch the matrices, and the next p."""
    g = GRADIENTS[0].copy()
    g[0, 0] = np.nan
    s, p = kbfgs.step(H, kbfgs.init(H, P), P, g, **BATCHES[0])
    assert np.isnan(p[0, 0]) and np.all(np.isfinite(s.inverse_g))
    batch = {name: np.full_like(x, np.nan) for name, x in BATCHES[0].items()}
    s, p = kbfgs.step(H, kbfgs.init(H, P), P, GRADIENTS[0], **batch)
    assert np.all(np.isfinite(p))
    assert np.all(np.isnan(s.inverse_a)) and np.all(np.isnan(s.inverse_g))
    _, p = kbfgs.step(H, s, p, GRADIENTS[0], **BATCHES[0])
    assert np.all(np.isnan(p))
