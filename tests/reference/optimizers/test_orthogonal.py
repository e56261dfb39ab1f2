"""NorMuon, AdaMuon, Scion and Dion: independent routes in 40 digits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from truestep.reference.optimizers import adamuon, dion, normuon, scion

sys.path.insert(0, str(Path(__file__).parent))
from forty_digits import GRADIENTS, P, digits, matrix, run

LR, MOMENTUM, BETA2, EPS, NS_EPS, DECAY = 0.5, 0.75, 0.5, 0.25, 0.125, 0.25
NUMBERS: dict[str, Any] = {
    "lr": LR, "momentum": MOMENTUM, "eps": EPS, "ns_eps": NS_EPS, "weight_decay": DECAY,
}  # fmt: skip


def _length(values: Any) -> Any:
    return mp.sqrt(mp.fsum(x * x for x in values))


def _orthogonalized(x: Any) -> Any:
    """Muon's five steps on the singular values of x / (|x| + NS_EPS)."""
    u, s, v = mp.svd_r(x)
    size = _length(s) + mp.mpf(NS_EPS)
    for i in range(len(s)):
        y = s[i] / size
        for _ in range(5):
            a, b, c = 3.4445, -4.7750, 2.0315
            y = a * y + b * y**3 + c * y**5
        s[i] = y
    return u * mp.diag(list(s)) * v


def _averages(gradients: list[Any], weight: float) -> Any:
    """The momentum of each step."""
    out = []
    b = 0 * matrix(gradients[0])
    for g in gradients:
        b = mp.mpf(MOMENTUM) * b + mp.mpf(weight) * matrix(g)
        out.append(b)
    return out


def _path(steps: list[Any]) -> Any:
    p = matrix(P)
    for step in steps:
        p = p * (1 - mp.mpf(LR) * mp.mpf(DECAY)) - mp.mpf(LR) * step
    return p


@pytest.mark.parametrize("length", ["rms", "kept", "kept_tall", "kept_ratio", "kept_rms"])
def test_normuon_divides_rows_by_their_own_mean_squares(length: Any) -> None:
    """Four steps: rows of U f(S) V^T over the roots of averaged mean squares, as long as told."""
    h = normuon.Hyper(beta2=BETA2, rms=0.5, length=length, **NUMBERS)
    s, p = run(normuon, h, P, GRADIENTS)
    steps, v = [], [mp.mpf(0)] * len(P)
    for b in _averages(GRADIENTS, 1 - MOMENTUM):
        o = _orthogonalized(b)
        m, n = o.rows, o.cols
        means = [mp.fsum(o[i, j] ** 2 for j in range(n)) / n for i in range(m)]
        v = [BETA2 * old + (1 - BETA2) * new for old, new in zip(v, means, strict=True)]
        d = o.copy()
        for i in range(m):
            for j in range(n):
                d[i, j] /= mp.sqrt(v[i]) + EPS
        due = mp.mpf(0.5) * mp.sqrt(m * n)
        if length != "rms":
            factor = {
                "kept": mp.mpf(1),
                "kept_tall": mp.sqrt(max(1, mp.mpf(m) / n)),
                "kept_ratio": mp.sqrt(mp.mpf(m) / n),
                "kept_rms": mp.mpf(0.5) * mp.sqrt(max(m, n)),
            }
            due = _length(o) * factor[length]
        steps.append(d * (due / _length(d)))
    assert digits(p) == digits(_path(steps))
    assert digits(s.v) == digits(mp.matrix([[x] for x in v]))


@pytest.mark.parametrize("stabilization", ["sign", "none"])
@pytest.mark.parametrize("bias_correction", ["none", "second"])
def test_adamuon_divides_elements_by_their_own_sizes(
    stabilization: Any, bias_correction: Any
) -> None:
    """Four steps: elements of U f(S) V^T of the momentum, or its sign, over averaged squares."""
    h = adamuon.Hyper(
        beta2=BETA2,
        rms=0.5,
        stabilization=stabilization,
        bias_correction=bias_correction,
        **NUMBERS,
    )
    s, p = run(adamuon, h, P, GRADIENTS)
    steps, v = [], 0 * matrix(P)
    for t, b in enumerate(_averages(GRADIENTS, 1.0), 1):
        o = _orthogonalized(b.apply(mp.sign) if stabilization == "sign" else b)
        v = BETA2 * v + (1 - BETA2) * o.apply(lambda x: x * x)
        c = 1 - mp.mpf(BETA2) ** t if bias_correction == "second" else 1
        d = o.copy()
        for i in range(o.rows):
            for j in range(o.cols):
                d[i, j] /= mp.sqrt(v[i, j] / c) + EPS
        steps.append(d * (mp.mpf(0.5) * mp.sqrt(o.rows * o.cols) / _length(d)))
    assert digits(p) == digits(_path(steps))
    assert digits(s.v) == digits(v)


def _boundary(norm: str, normalized: bool, d: Any) -> Any:
    m, n = mp.mpf(d.rows), mp.mpf(d.cols)
    if norm == "spectral":
        return _orthogonalized(d) * mp.sqrt(m / n if normalized else m)
    if norm == "sign":
        return d.apply(mp.sign) / (n if normalized else 1)
    out = d.copy()
    for i in range(d.rows):
        for j in range(d.cols):
            if norm == "row":
                size = _length(d[i, :]) * (mp.sqrt(n) if normalized else 1)
            else:
                size = _length(d[:, j]) / mp.sqrt(m) * (1 if normalized else n)
            out[i, j] /= size + EPS
    return out


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("norm", ["spectral", "sign", "row", "column"])
def test_scion_steps_to_the_boundary_of_its_ball(norm: Any, normalized: bool) -> None:
    """Four steps by the averages' images on the ball of radius 3."""
    h = scion.Hyper(radius=3.0, norm=norm, normalized=normalized, **NUMBERS)
    s, p = run(scion, h, P, GRADIENTS)
    averages = _averages(GRADIENTS, 1 - MOMENTUM)
    assert digits(p) == digits(_path([3 * _boundary(norm, normalized, d) for d in averages]))
    assert digits(s.d) == digits(averages[-1])


def test_scion_keeps_its_point_in_the_ball() -> None:
    """With a decay of 1 the point is a mean of points of the ball, whatever the gradients."""
    h = scion.Hyper(lr=0.25, radius=2.0, norm="sign", normalized=False)
    p = np.full((3, 4), 2.0)
    s = scion.init(h, p)
    rng = np.random.default_rng(0)
    for _ in range(50):
        s, p = scion.step(h, s, p, rng.standard_normal((3, 4)))
        assert np.max(np.abs(p)) <= 2.0


def test_scion_has_a_scale_of_at_least_one() -> None:
    """max_scale holds for wide matrices, and leaves tall ones as they are."""
    for shape, factor in (((1, 4), 2.0), ((4, 1), 1.0)):
        g = np.ones(shape)
        ends = [
            run(scion, scion.Hyper(max_scale=most), np.zeros(shape), [g])[1]
            for most in (False, True)
        ]
        assert digits(ends[1]) == digits(factor * np.asarray(ends[0], dtype=object))


def test_without_gradient_a_guarded_length_leaves_the_point() -> None:
    """With a guard p stays; without one 0/0 is nan; empty tensors advance t."""
    zero = 0 * P
    for rule in (adamuon, normuon):
        guarded = rule.Hyper(weight_decay=0.0, length_guard="added")
        np.testing.assert_array_equal(run(rule, guarded, P, [zero])[1], P)
        with np.errstate(divide="ignore", invalid="ignore"):
            assert np.all(np.isnan(run(rule, rule.Hyper(), P, [zero])[1]))
        s, p = run(rule, rule.Hyper(), np.zeros((0, 3)), [np.zeros((0, 3))])
        assert s.t == 1 and p.shape == (0, 3)


def test_adamuons_nan_has_a_sign_or_none() -> None:
    """nan makes all of p nan, or where its sign is 0 stays in the momentum alone."""
    g = GRADIENTS[0].copy()
    g[0, 0] = np.nan
    s, p = run(adamuon, adamuon.Hyper(), P, [g])
    assert np.all(np.isnan(p))
    s, p = run(adamuon, adamuon.Hyper(nan_sign="zero"), P, [g])
    assert np.all(np.isfinite(p)) and np.isnan(s.b[0, 0])


def _projected(columns: Any) -> Any:
    """What projects onto the columns: X (X^T X)^-1 X^T, whatever base is chosen of their span."""
    return columns * (columns.T * columns) ** -1 * columns.T


@pytest.mark.parametrize("rank", [1, 2])
def test_dion_feeds_back_what_its_projection_misses(rank: int) -> None:
    """Four steps: b loses 1/4 of its projection onto B q; P R^T is that projection of B."""
    h = dion.Hyper(lr=LR, momentum=MOMENTUM, eps=0.0, weight_decay=DECAY, rank=rank)
    b, q, steps = 0 * matrix(P), matrix(dion.init(h, P).q), []
    for g in GRADIENTS:
        full = b + matrix(g)
        columns = full * q
        projected = _projected(columns) * full
        b = full - mp.mpf(1 - MOMENTUM) * projected
        # Gram and Schmidt: the span of the first columns is what a QR decomposition keeps.
        base = mp.zeros(columns.rows, rank)
        for j in range(rank):
            rest = columns[:, j]
            if j:
                rest = rest - _projected(columns[:, :j]) * rest
            base[:, j] = rest / _length(rest)
        right = full.T * base
        for j in range(rank):
            q[:, j] = right[:, j] / _length(right[:, j])
        steps.append(base * q.T * mp.sqrt(mp.mpf(3) / 4))
    s, p = run(dion, h, P, GRADIENTS)
    assert digits(p) == digits(_path(steps))
    assert digits(s.b) == digits(b)
    assert digits(np.abs(s.q)) == digits(q.apply(abs))


def test_dion_of_full_rank_steps_by_orthonormal_rows_times_unit_columns() -> None:
    """The first step's norm is lr sqrt(r m / n), and with no momentum the buffer is at rest."""
    h = dion.Hyper(lr=1.0, momentum=0.0, eps=0.0, weight_decay=0.0, rank=768)
    s, p = run(dion, h, np.zeros((3, 4)), GRADIENTS[:1])
    assert digits(np.sum(p * p)) == digits(3 * 3 / 4)
    assert digits(s.b) == digits(np.zeros((3, 4)))


def test_dion_forgets_its_vectors_without_a_gradient() -> None:
    """A gradient of zero at the start leaves p, and no right vectors; empty tensors advance t."""
    s, p = run(dion, dion.Hyper(weight_decay=0.0), P, [0 * P])
    np.testing.assert_array_equal(p, P)
    assert not np.any(s.q) and not np.any(s.b)
    s, p = run(dion, dion.Hyper(weight_decay=0.0), P, [0 * P, GRADIENTS[0]])
    assert np.any(s.q)
    s, p = run(dion, dion.Hyper(), np.zeros((0, 3)), [np.zeros((0, 3))])
    assert s.t == 1 and p.shape == (0, 3)
