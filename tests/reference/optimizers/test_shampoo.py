"""Shampoo and Distributed Shampoo: independent routes in 40 digits, and defining laws."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

from truestep.reference.optimizers import adamw, distributed_shampoo, nesterov, shampoo

sys.path.insert(0, str(Path(__file__).parent))
from forty_digits import CUBOID, GRADIENTS, HADAMARD, SQUARE, P, digits, matrix, run


def _root(a: Any, power: int, least: Any = 0) -> Any:
    """a^(-1 / power) of a symmetric matrix, its eigenvalues raised by least."""
    values, q = mp.eigsy(a)
    scaled = [(x + least) ** (-mp.mpf(1) / power) for x in values]
    return q * mpmath.diag(scaled) * q.T


@pytest.mark.parametrize("exponent", ["half_order", "order"])
def test_shampoo_by_eigenvalues_in_40_digits(exponent: str) -> None:
    """Three steps with momentum; order -1 / k instead of -1 / (2 k) is another rule."""
    h = shampoo.Hyper(lr=0.5, momentum=0.5, eps=0.25, exponent=exponent)  # type: ignore[arg-type]
    s, p = run(shampoo, h, P, GRADIENTS[:3])
    left, right, m, x = mp.eye(3) / 4, mp.eye(4) / 4, mp.zeros(3, 4), matrix(P)
    power = 4 if exponent == "half_order" else 2
    for g in map(matrix, GRADIENTS[:3]):
        left, right, m = left + g * g.T, right + g.T * g, (m + g) / 2
        x = x - _root(left, power) * m * _root(right, power) / 2
    assert digits(p) == digits(x)
    assert digits(s.factors) == digits(left) + digits(right)
    assert digits(s.roots) == digits(_root(left, power)) + digits(_root(right, power))
    seen = shampoo.observables(h, s, p)
    assert digits(seen["inverted_0"]) == digits(np.eye(3))
    assert digits(seen["inverted_1"]) == digits(np.eye(4))


def test_shampoo_of_a_tensor_is_its_kronecker_product_of_roots() -> None:
    """vec(step) = (X_1 x X_2 x X_3) vec(g) with exponents -1/6."""
    g = CUBOID
    _, p = run(shampoo, shampoo.Hyper(lr=1.0, eps=0.5), np.zeros_like(g), [g])
    whole = np.ones((1, 1))
    for i, n in enumerate(g.shape):
        a = np.array(
            [[np.sum(np.take(g, j, i) * np.take(g, k, i)) for k in range(n)] for j in range(n)]
        )
        root = _root(matrix(a) + mp.eye(n) / 2, 6)
        whole = np.kron(whole, np.array(root.tolist(), dtype=float))
    assert digits(p) == digits(-whole @ g.ravel())


def test_shampoos_first_step_is_the_polar_factor() -> None:
    """Full rank and eps far below: -lr U V^T; with the exponent -1 / k it is -lr U S^-1 V^T."""
    u, s, v = mp.svd_r(matrix(SQUARE[1]))
    for exponent, middle in (("half_order", mp.eye(4)), ("order", mpmath.diag([1 / x for x in s]))):
        h = shampoo.Hyper(lr=0.5, eps=1e-30, exponent=exponent)  # type: ignore[arg-type]
        _, p = run(shampoo, h, np.zeros((4, 4)), [SQUARE[1]])
        assert digits(p) == digits(-0.5 * u * middle * v)


def test_shampoo_on_diagonal_gradients_is_adagrad() -> None:
    """g / sqrt(eps + sum g^2) on the diagonal, and nothing beside it."""
    diagonals = np.abs(SQUARE[0]) + 0.5
    _, p = run(shampoo, shampoo.Hyper(lr=1.0, eps=0.25), np.zeros((4, 4)), map(np.diag, diagonals))
    totals = 0.25 + np.cumsum(diagonals**2, axis=0)
    assert digits(p) == digits(-np.diag(np.sum(diagonals / np.sqrt(totals), axis=0)))


def test_shampoo_on_vectors_is_full_adagrad_and_on_numbers_plain() -> None:
    """A vector moves by (eps I + sum g g^T)^(-1/2) g, a number by g itself."""
    h = shampoo.Hyper(lr=1.0, eps=0.5)
    _, p = run(shampoo, h, np.zeros(4), SQUARE[0])
    a, x = mp.eye(4) / 2, mp.zeros(4, 1)
    for g in map(matrix, SQUARE[0]):
        a = a + g * g.T
        x = x - _root(a, 2) * g
    assert digits(p) == digits(x)
    assert run(shampoo, h, np.array(1.0), [0.25, 0.5])[1] == 0.25


def test_shampoos_factors_grow_by_the_gradients_products_and_bound_them() -> None:
    """Exact for integers; and sum g g^T / r < sqrt(L) x sqrt(R) where r is the largest rank, 3."""
    gradients = np.round(4 * GRADIENTS)
    s, _ = run(shampoo, shampoo.Hyper(eps=1.0), P, gradients)
    left, right = shampoo.separated(s.factors, (3, 4))
    np.testing.assert_array_equal(left, np.eye(3) + sum(g @ g.T for g in gradients))
    np.testing.assert_array_equal(right, np.eye(4) + sum(g.T @ g for g in gradients))
    roots = [np.array(_root(matrix(a), -2).tolist(), dtype=float) for a in (left, right)]
    outer = sum(np.outer(g.ravel(), g.ravel()) for g in gradients)
    assert np.linalg.eigvalsh(np.kron(*roots) - outer / 3)[0] > 0


def test_shampoo_follows_orthogonal_matrices_transposition_and_scale() -> None:
    """Q G W moves by Q Delta W, G^T by Delta^T; c G with c^2 eps as G, but not with -1 / k."""
    h = shampoo.Hyper(eps=0.25)
    zero = np.zeros((4, 4))
    _, p = run(shampoo, h, zero, SQUARE)
    _, turned = run(shampoo, h, zero, [HADAMARD @ g @ HADAMARD[::-1] for g in SQUARE])
    assert digits(turned) == digits(HADAMARD @ p @ HADAMARD[::-1])
    assert digits(run(shampoo, h, zero, [g.T for g in SQUARE])[1]) == digits(p.T)
    scaled = dataclasses.replace(h, eps=16.0)
    assert digits(run(shampoo, scaled, zero, 8 * SQUARE)[1]) == digits(p)
    ends = [
        run(shampoo, dataclasses.replace(x, exponent="order"), zero, c * SQUARE)[1]
        for x, c in ((h, 1), (scaled, 8))
    ]
    assert digits(8 * ends[1]) == digits(ends[0])


@pytest.mark.parametrize(
    ("timing", "due"),
    [("first", [True, False, False, True]), ("multiples", [False, False, True, False])],
)
def test_shampoo_takes_roots_when_they_are_due(timing: str, due: list[bool]) -> None:
    """At t = 1, 1 + gap, ... or at t = gap, 2 gap, ..., here 3."""
    h = shampoo.Hyper(precondition_frequency=3, timing=timing)  # type: ignore[arg-type]
    s, p = shampoo.init(h, P), P
    changed = []
    for g in GRADIENTS:
        new, p = shampoo.step(h, s, p, g)
        changed.append(not np.array_equal(new.roots, s.roots))
        s = new
    assert changed == due


def test_shampoo_as_torch_optimizer_has_it() -> None:
    """L^(-1/2) G R^(-1/2) with R from L^(-1/2) G, and the last step mixed into the gradient."""
    h = shampoo.Hyper(
        lr=1.0,
        momentum=0.5,
        eps=0.25,
        exponent="order",
        momentum_form="fed_back",
        statistics="preconditioned",
    )
    s, p = run(shampoo, h, P, GRADIENTS[:2])
    left, right, x = mp.eye(3) / 4, mp.eye(4) / 4, matrix(P)
    last = matrix(GRADIENTS[0])
    for g in map(matrix, GRADIENTS[:2]):
        g = (g + last) / 2
        left = left + g * g.T
        g = _root(left, 2) * g
        right = right + g.T * g
        last = g * _root(right, 2)
        x = x - last
    assert digits(p) == digits(x)
    assert digits(s.m) == digits(last)


# Distributed Shampoo

BARE: dict[str, Any] = {
    "beta1": 0.0,
    "graft": "none",
    "weight_decay": 0.0,
    "bias_correction": "none",
}


def test_distributed_shampoo_in_40_digits() -> None:
    """Three steps of the rule as written, with Nesterov momentum and dampening."""
    h = distributed_shampoo.Hyper(
        lr=0.5,
        beta1=0.5,
        beta2=0.75,
        eps=0.125,
        weight_decay=0.25,
        momentum=0.5,
        dampening=0.25,
        graft_beta2=0.875,
        graft_eps=0.25,
        nesterov=True,
    )
    _, p = run(distributed_shampoo, h, P, GRADIENTS[:3])
    left, right, m, v, b = mp.zeros(3), mp.zeros(4), mp.zeros(3, 4), mp.zeros(3, 4), mp.zeros(3, 4)
    x = matrix(P)
    for t, g in enumerate(map(matrix, GRADIENTS[:3]), 1):
        left, right = (3 * left + g * g.T) / 4, (3 * right + g.T * g) / 4
        m, v = (m + g) / 2, (7 * v + g.apply(lambda y: y * y)) / 8
        m_hat, v_hat = m / (1 - mp.mpf(0.5) ** t), v / (1 - mp.mpf(0.875) ** t)
        c = 1 - mp.mpf(0.75) ** t
        lender = mpmath.matrix(3, 4)
        for i in range(3):
            for j in range(4):
                lender[i, j] = m_hat[i, j] / (mp.sqrt(v_hat[i, j]) + 0.25)
        d = _root(left / c, 4, 0.125) * m_hat * _root(right / c, 4, 0.125)
        e = d * (mp.mnorm(lender, "f") / mp.mnorm(d, "f")) + x / 4
        b = b / 2 + 3 * e / 4
        x = x - (3 * e / 4 + b / 2) / 2
    assert digits(p) == digits(x)


@pytest.mark.parametrize("ridge", ["absolute", "relative", "initial"])
def test_distributed_shampoos_ridges(ridge: str) -> None:
    """Factors from 0, or from eps I; raised by eps, eps times the largest eigenvalue, or 0."""
    h = distributed_shampoo.Hyper(lr=1.0, beta2=0.75, eps=0.125, ridge=ridge, **BARE)
    s, p = run(distributed_shampoo, h, np.zeros((4, 4)), SQUARE[:1])
    seen = distributed_shampoo.observables(h, s, p)
    assert digits(seen["inverted_0"]) == digits(seen["inverted_1"]) == digits(np.eye(4))
    g = matrix(SQUARE[0])
    left, right = g * g.T / 4, g.T * g / 4
    if ridge != "absolute":
        left, right = (a + mp.mpf(0.75) / 8 * mp.eye(4) for a in (left, right))
    largest = max(mp.eigsy(left)[0])
    least = {"absolute": 0.125, "relative": largest / 8, "initial": 0}[ridge]
    assert digits(p) == digits(-_root(left, 4, least) * g * _root(right, 4, least))


def test_distributed_shampoo_without_its_additions_is_shampoo() -> None:
    """Sums from eps I, no ridge, no graft, no average: bit for bit, or by singular values."""
    h = distributed_shampoo.Hyper(lr=0.1, eps=1e-4, accumulation="sum", ridge="initial", **BARE)
    due = run(shampoo, shampoo.Hyper(), P, GRADIENTS)[1]
    np.testing.assert_array_equal(run(distributed_shampoo, h, P, GRADIENTS)[1], due)
    found = dataclasses.replace(h, spectrum="as_found")
    assert digits(run(distributed_shampoo, found, P, GRADIENTS)[1]) == digits(due)


@pytest.mark.parametrize("graft", ["adam", "adagrad", "rmsprop", "sgd", "sign"])
def test_the_graft_lends_its_length(graft: str) -> None:
    """Before the start the step is the graft's own; after it, as long as that."""
    h = distributed_shampoo.Hyper(lr=1.0, weight_decay=0.0, graft=graft, start=9)  # type: ignore[arg-type]
    first = run(distributed_shampoo, h, 0 * P, GRADIENTS[:1])[1]
    g = GRADIENTS[0]
    due = {
        "adam": g / (np.abs(g) + 1e-8),
        "adagrad": g / (np.abs(g) + 1e-8),
        "rmsprop": g / (np.sqrt(1e-3) * np.abs(g) + 1e-8),
        "sgd": g,
        "sign": np.sign(g),
    }[graft]
    assert digits(first) == digits(-due)
    after = run(distributed_shampoo, dataclasses.replace(h, start=1), 0 * P, GRADIENTS[:1])[1]
    assert digits(np.linalg.norm(after)) == digits(np.linalg.norm(first))
    assert digits(after) != digits(first)


@pytest.mark.parametrize(("nan_sign", "due"), [("nan", np.nan), ("zero", 0.0)])
def test_the_sign_of_nan_is_nan_or_zero(nan_sign: str, due: float) -> None:
    """Before the start p moves by lr times the signs, of which one is of nan."""
    h = distributed_shampoo.Hyper(lr=1.0, start=9, nan_sign=nan_sign, **{**BARE, "graft": "sign"})
    p = run(distributed_shampoo, h, np.zeros(3), [np.array([2.0, np.nan, -3.0])])[1]
    np.testing.assert_array_equal(p, [-1.0, -due, 1.0])


def test_an_average_of_no_memory_forgets_nan() -> None:
    """With beta1 = 0, m is the gradient whatever it was before."""
    h = distributed_shampoo.Hyper(vectors="grafted", **BARE)
    s = run(distributed_shampoo, h, np.zeros(2), [np.array([np.nan, 1.0])])[0]
    s = distributed_shampoo.step(h, s, np.zeros(2), np.array([3.0, 4.0]))[0]
    np.testing.assert_array_equal(s.m, [3.0, 4.0])


def test_distributed_shampoo_before_its_start_is_adam() -> None:
    """With the decay in the direction it is AdamW's with decay before the step."""
    h = distributed_shampoo.Hyper(lr=0.1, weight_decay=0.5, start=9)
    due = adamw.Hyper(lr=0.1, weight_decay=0.5, decay="before")
    ends = [run(m, x, P, GRADIENTS)[1] for m, x in ((distributed_shampoo, h), (adamw, due))]
    assert digits(ends[0]) == digits(ends[1])


def test_distributed_shampoos_momentum_is_torchs() -> None:
    """A graft of SGD before the start, undampened: Nesterov momentum on the gradient."""
    h = distributed_shampoo.Hyper(
        lr=0.1, momentum=0.75, nesterov=True, start=9, **{**BARE, "graft": "sgd"}
    )
    due = nesterov.Hyper(lr=0.1, momentum=0.75, form="torch")
    ends = [run(m, x, P, GRADIENTS)[1] for m, x in ((distributed_shampoo, h), (nesterov, due))]
    assert digits(ends[0]) == digits(ends[1])


@pytest.mark.parametrize(
    ("timing", "due"),
    [("from_start", [False, False, True, True]), ("multiples", [False, True, False, True])],
)
def test_distributed_shampoo_takes_roots_when_they_are_due(timing: str, due: list[bool]) -> None:
    """At the start, 3, and at multiples of 2 after it; or at all multiples of 2."""
    h = distributed_shampoo.Hyper(start=3, precondition_frequency=2, timing=timing)  # type: ignore[arg-type]
    s, p = distributed_shampoo.init(h, P), P
    changed = []
    for g in GRADIENTS:
        new, p = distributed_shampoo.step(h, s, p, g)
        changed.append(not np.array_equal(new.roots, s.roots))
        s = new
    assert changed == due
