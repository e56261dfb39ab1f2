"""Sophia and K-FAC: libraries' traces, independent routes in 40 digits, defining laws.

Numbers of two routes agree where ten decimals of both print alike: for these inputs the routes
differ by rounding alone, below 1e-13, and no decimal is lost to a carry.
"""

from __future__ import annotations

import dataclasses
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

from truestep.reference.optimizers import adahessian, kfac, sophia

mp.dps = 40
RNG = np.random.default_rng(9)
P = RNG.standard_normal((3, 4))
GRADIENTS = RNG.standard_normal((3, 3, 4))
ACTIVATIONS = RNG.standard_normal((3, 20, 4))
DERIVATIVES = RNG.standard_normal((3, 20, 3))
P0 = (1.0, -2.0, 0.5, 0.0)
G = ((0.5, -1.0, 0.0, 2.0), (-0.25, 0.5, 0.0, 1e-3), (1.0, 0.0, -3.0, -2.0))
ESTIMATES = ((2.0, -1.0, 0.5, 4.0), (1.0, 3.0, 0.25, -8.0))


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


def _moment(x: Any) -> Any:
    """The mean of the rows' outer products in 40 digits."""
    x = _matrix(x)
    return x.T * x / x.rows


def _sophia(h: Any, steps: int, p: Any = P0, scale: float = 1.0, degree: int = 1) -> Any:
    p = np.asarray(p)
    s = sophia.init(h, p)
    for k in range(steps):
        estimate = scale**degree * np.asarray(ESTIMATES[k % 2])
        s, p = sophia.step(h, s, p, scale * np.asarray(G[k % 3]), estimate=estimate)
    return s, p


# Nine steps in the libraries, float64 (JAX_ENABLE_X64), with an estimate given when one was due;
# references and libraries differed by less than 1e-15.
LIBRARY: dict[str, Any] = {"lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 0.01, "limit": 0.75}
TRACES: list[tuple[str, dict[str, Any], str]] = [
    (
        "optax contrib.sophia",
        {"gamma": 0.5, "bias_correction": "first", "refresh": "after", "decay": "in_step"},
        "0.41257823738 -1.61299688914 0.96626851444 -0.21185377146",
    ),
    ("SophiaH", {"gamma": 1.0}, "0.50647104778 -1.61299688914 0.96626851444 -0.18862227804"),
    (
        "SophiaH, weight_decouple=False",
        {"gamma": 1.0, "decay": "coupled"},
        "0.51874851827 -1.41461709877 0.97580000000 -0.19967500000",
    ),
    (
        "SophiaH, fixed_decay",
        {"gamma": 1.0, "decay": "unscaled"},
        "0.09760046479 -0.63751918725 0.58498756950 -0.10844826162",
    ),
]


@pytest.mark.parametrize(("library", "dialect", "trace"), TRACES)
def test_sophia_follows_the_libraries(library: str, dialect: dict[str, Any], trace: str) -> None:
    """optax 0.2.8 and pytorch-optimizer 4.1, with weight decay and a Hessian of both signs."""
    _, p = _sophia(sophia.Hyper(**LIBRARY, weight_decay=0.1, period=3, **dialect), 9)
    assert " ".join(f"{x:.11f}" for x in p) == trace, library


@pytest.mark.parametrize("denominator", ["floor", "added"])
def test_sophia_by_hand_in_40_digits(denominator: str) -> None:
    """The paper's lines, and the authors' min(|m| / (rho bs h + eps), 1) sign(m)."""
    h = sophia.Hyper(lr=0.5, beta1=0.5, beta2=0.75, gamma=0.25, eps=0.125, period=2)
    s, p = _sophia(dataclasses.replace(h, denominator=denominator), 5)  # type: ignore[arg-type]
    for i in range(4):
        x, m, d = mp.mpf(P0[i]), mp.mpf(0), mp.mpf(0)
        for k in range(5):
            m = (m + mp.mpf(G[k % 3][i])) / 2
            d = (3 * d + mp.mpf(ESTIMATES[k % 2][i])) / 4 if k % 2 == 0 else d
            below = max(d / 4, 0.125) if denominator == "floor" else max(d, 0) / 4 + 0.125
            u = mp.sign(m) * min(abs(m) / below, 1)
            x = x * (1 - mp.mpf(0.5) * mp.mpf(0.1)) - u / 2
        assert _digits([p[i], s.m[i], s.h[i]]) == _digits([x, m, d])


def test_sophia_moves_by_at_most_lr_and_without_curvature_by_lr() -> None:
    """|delta + lr weight_decay p| <= lr limit; where the Hessian is 0 it is lr limit sign(m)."""
    h = sophia.Hyper(lr=0.25, limit=0.5, gamma=1.0, weight_decay=0.5, eps=1e-30)
    g, e = RNG.standard_normal((2, 999)) * 10.0 ** RNG.integers(-6, 6, (2, 999))
    for p in (np.zeros(999), np.ones(999)):
        _, moved = sophia.step(h, sophia.init(h, p), p, g, estimate=e)
        # p and its decay have few digits: the difference is that of multiples of an ulp of 1.
        delta = moved - p * (1 - 0.125)
        assert np.max(np.abs(delta)) == 0.125
        assert np.count_nonzero(np.abs(delta) < 0.125) > 100
        _, moved = sophia.step(h, sophia.init(h, p), p, g, estimate=0 * e)
        np.testing.assert_array_equal(moved, p * (1 - 0.125) - 0.125 * np.sign(g))
    _, p = _sophia(sophia.Hyper(lr=0.25, refresh="after", weight_decay=0.0), 1, (0.0,) * 4)
    np.testing.assert_array_equal(p, -0.25 * np.sign(G[0]))


def test_sophia_reads_the_estimate_every_period_steps() -> None:
    """At t = 1, 1 + period, ...; a nan in any other step is not seen."""
    h = sophia.Hyper(period=3)
    s, p = sophia.init(h, np.zeros(1)), np.zeros(1)
    seen = []
    for t in range(1, 8):
        due = t % 3 == 1
        s, p = sophia.step(h, s, p, np.ones(1), estimate=np.array([1.0 if due else np.nan]))
        seen.append(float(s.h[0]))
    assert np.isfinite(p[0])
    assert len(set(seen)) == 3 and seen[0] == seen[2] < seen[3] == seen[5] < seen[6]


def test_sophia_is_invariant_to_the_objectives_scale_with_hutchinsons_estimator() -> None:
    """4 f has 4 m and 4 h; the Gauss-Newton-Bartlett estimate grows by 16, and the step shrinks."""
    h = sophia.Hyper(lr=0.1, gamma=1.0, eps=0.0, period=2)
    with np.errstate(divide="ignore"):  # a Hessian that is not positive divides by eps = 0
        ends = [_sophia(h, 3, scale=c, degree=d)[1] for c, d in ((1, 1), (4, 1), (4, 2))]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert ends[0][0] < ends[2][0] < P0[0]


def test_hutchinsons_estimator_has_the_diagonal_as_its_mean() -> None:
    """Over all signs exactly; a diagonal Hessian is met by each of them, and not by normal u."""
    hessian = np.round(8 * RNG.standard_normal((4, 4)))
    hessian = hessian + hessian.T + np.diag([1.0, 1.0, -1.0, 1.0])
    signs = [np.array(u) for u in product((-1.0, 1.0), repeat=4)]
    found = [sophia.hutchinson(u, hessian @ u) for u in signs]
    np.testing.assert_array_equal(np.mean(found, axis=0), np.diag(hessian))
    diagonal = np.diag(np.diag(hessian))
    for u in signs:
        np.testing.assert_array_equal(sophia.hutchinson(u, diagonal @ u), np.diag(hessian))
    u = RNG.standard_normal(4)
    assert np.all(sophia.hutchinson(u, diagonal @ u) != np.diag(hessian))


def test_gauss_newton_bartletts_estimator_has_the_gauss_newton_diagonal_as_its_mean() -> None:
    """Of logistic losses, mean(q (1 - q) x^2), over the labels that the model itself draws."""
    x, q = np.array([[1.0, 2.0, -4.0], [3.0, 0.0, 1.0]]), np.array([0.25, 0.5])
    mean = np.zeros(3)
    for labels in product((0.0, 1.0), repeat=2):
        chance = np.prod(np.where(np.array(labels) == 1, q, 1 - q))
        g = ((q - labels) @ x) / 2
        mean += chance * sophia.gauss_newton_bartlett(2, g)
        assert np.all(sophia.gauss_newton_bartlett(2, g) >= 0)
    np.testing.assert_array_equal(mean, np.mean((q * (1 - q))[:, None] * x**2, axis=0))


def _kfac(h: Any, p: Any, gradients: Any, activations: Any, derivatives: Any) -> tuple[Any, Any]:
    s = kfac.init(h, p)
    for g, a, d in zip(gradients, activations, derivatives, strict=True):
        s, p = kfac.step(h, s, p, g, activations=a, derivatives=d)
    return s, p


@pytest.mark.parametrize("balance", ["traces", "one"])
@pytest.mark.parametrize("decay", ["damped", "coupled", "before"])
def test_kfac_solves_with_the_kronecker_product_in_40_digits(decay: str, balance: str) -> None:
    """vec(step) = (S_damped x A_damped)^-1 vec(G), by elimination of the whole 12 x 12 matrix."""
    h = kfac.Hyper(lr=0.5, damping=0.25, ema=0.625, weight_decay=0.5, decay=decay, balance=balance)  # type: ignore[arg-type]
    s, p = _kfac(h, P, GRADIENTS, ACTIVATIONS, DERIVATIVES)
    x, a, d = _matrix(P), mp.zeros(4), mp.zeros(3)
    for t, (g, acts, outs) in enumerate(zip(GRADIENTS, ACTIVATIONS, DERIVATIVES, strict=True), 1):
        c = min(1 - mp.mpf(1) / t, mp.mpf("0.625"))
        a, d = c * a + (1 - c) * _moment(acts), c * d + (1 - c) * _moment(outs)
        b = mp.sqrt(mp.mpf("0.75") if decay == "damped" else mp.mpf("0.25"))
        mean_a, mean_s = sum(a[i, i] for i in range(4)) / 4, sum(d[i, i] for i in range(3)) / 3
        pi = mp.sqrt(mean_a / mean_s) if balance == "traces" else mp.mpf(1)
        g = _matrix(g)
        if decay != "before":
            g = g + x / 2
        x = x * mp.mpf(0.75 if decay == "before" else 1)
        left, right = d + b / pi * mp.eye(3), a + pi * b * mp.eye(4)
        rows = range(12)
        whole = mpmath.matrix(
            [[left[i // 4, j // 4] * right[i % 4, j % 4] for j in rows] for i in rows]
        )
        step = mp.lu_solve(whole, mpmath.matrix([g[i // 4, i % 4] for i in rows]))
        step = mpmath.matrix([[step[4 * i + j] for j in range(4)] for i in range(3)])
        x = x - step / 2
    assert _digits(p) == _digits(x)
    assert _digits(s.factor_a) == _digits(a)
    assert _digits(s.factor_s) == _digits(d)
    assert list(kfac.observables(h, s, p)) == ["factor_a", "factor_s", "p"]


def test_kfacs_step_times_the_damped_factors_is_the_gradient() -> None:
    """S_damped delta A_damped = G; each factor is damped by one share of its mean eigenvalue."""
    h = kfac.Hyper(lr=1.0, damping=0.25)
    s, p = _kfac(h, 0 * P, GRADIENTS[:1], ACTIVATIONS[:1], DERIVATIVES[:1])
    pi = kfac.ratio(h, s.factor_a, s.factor_s)
    shares = [pi / 2 * 4 / np.trace(s.factor_a), 1 / pi / 2 * 3 / np.trace(s.factor_s)]
    assert _digits(shares[:1]) == _digits(shares[1:])
    left, right = s.factor_s + np.eye(3) / (2 * pi), s.factor_a + pi / 2 * np.eye(4)
    assert _digits(left @ -p @ right) == _digits(GRADIENTS[0])


def test_kfac_is_invariant_to_affine_reparametrization_without_damping() -> None:
    """With inputs F a + f and outputs E h the weights E W F^-1 move by E delta F^-1."""
    h = kfac.Hyper(lr=0.5, damping=0.0)
    activations = np.concatenate([ACTIVATIONS[..., :3], np.ones((3, 20, 1))], axis=-1)
    inner = np.eye(4) + np.triu(np.round(4 * RNG.standard_normal((4, 4))), 1)
    outer = np.eye(3) + np.tril(np.round(4 * RNG.standard_normal((3, 3))), -1)
    # Triangular integers with ones on the diagonal: the inverses are integers too.
    from_inner, from_outer = (np.rint(np.linalg.inv(x)) for x in (inner, outer))
    assert np.array_equal(inner @ from_inner, np.eye(4))
    assert np.array_equal(outer @ from_outer, np.eye(3))
    _, p = _kfac(h, P, GRADIENTS, activations, DERIVATIVES)
    _, q = _kfac(
        h,
        outer @ P @ from_inner,
        [from_outer.T @ g @ inner.T for g in GRADIENTS],
        activations @ inner.T,
        DERIVATIVES @ from_outer,
    )
    assert _digits(from_outer @ q @ inner) == _digits(p)
    damped = dataclasses.replace(h, damping=0.25)
    _, p = _kfac(damped, P, GRADIENTS, activations, DERIVATIVES)
    _, q = _kfac(damped, P, GRADIENTS, activations @ inner.T, DERIVATIVES)
    assert not set(_digits(q)) & set(_digits(p))


def test_kfac_of_zeros_vectors_and_nans() -> None:
    """Zero batches leave G / damping; vectors are columns; nan reaches all of p."""
    h = kfac.Hyper(lr=1.0, damping=0.25)
    zero_a, zero_d = np.zeros((1, 8, 4)), np.zeros((1, 8, 3))
    _, p = _kfac(h, 0 * P, GRADIENTS[:1], zero_a, zero_d)
    np.testing.assert_array_equal(p, -4 * GRADIENTS[0])
    column = _kfac(h, P[:, :1], GRADIENTS[:, :, :1], ACTIVATIONS[..., :1], DERIVATIVES)[1]
    vector = _kfac(h, P[:, 0], GRADIENTS[:, :, 0], ACTIVATIONS[..., :1], DERIVATIVES)[1]
    np.testing.assert_array_equal(vector, column[:, 0])
    poisoned = DERIVATIVES.copy()
    poisoned[0, 0, 0] = np.nan
    assert np.all(np.isnan(_kfac(h, P, GRADIENTS, ACTIVATIONS, poisoned)[1]))


@pytest.mark.parametrize(
    ("fields", "recorded"),
    [
        ({"hessian_power": 0.5}, "0.42410572502 -1.91417704716 0.22760159029 0.34734237746"),
        (
            {"beta1": 0.8, "beta2": 0.7, "weight_decay": 0.1, "decay": "in_step"},
            "0.27028890001 -1.31505889307 0.14191360235 0.37702715367",
        ),
    ],
)
def test_adahessian_follows_torch_optimizer(fields: dict[str, Any], recorded: str) -> None:
    """Nine steps on quartics, whose diagonal Hessian any probe meets exactly, in float64.

    Recorded with torch_optimizer 0.3.0 in PyTorch 2.13, to eleven decimals.
    """
    c, p = np.array([1.0, -2.0, 3.0, 5.0]), np.cos(1.0 + 2.0 * np.arange(4))
    h = adahessian.Hyper(**fields)
    s = adahessian.init(h, p)
    for _ in range(9):
        s, p = adahessian.step(h, s, p, c * p**3 / 3, estimate=c * p * p)
    assert [f"{x:.11f}" for x in p] == recorded.split()
