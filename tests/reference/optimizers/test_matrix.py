"""Shampoo, Distributed Shampoo and SOAP: independent routes in 40 digits, and defining laws.

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

from truestep.reference.optimizers import adamw, distributed_shampoo, nesterov, shampoo, soap

mp.dps = 40
RULES: list[Any] = [distributed_shampoo, shampoo, soap]
RNG = np.random.default_rng(8)
P = RNG.standard_normal((3, 4))
GRADIENTS = RNG.standard_normal((4, 3, 4))
SQUARE = RNG.standard_normal((4, 4, 4))
# An orthogonal matrix exact in binary.
HADAMARD = np.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


def _run(module: Any, h: Any, p: Any, gradients: Any) -> tuple[Any, Any]:
    s = module.init(h, p)
    for g in gradients:
        s, p = module.step(h, s, p, np.asarray(g))
    return s, p


def _digits(x: Any) -> list[str]:
    """Every element to ten decimals, zero without a sign."""
    values = [x[i, j] for i in range(x.rows) for j in range(x.cols)] if _exact(x) else np.ravel(x)
    printed = [f"{float(v):.10f}" for v in values]
    return [text.lstrip("-") if float(text) == 0 else text for text in printed]


def _exact(x: Any) -> bool:
    return isinstance(x, mpmath.matrix)


def _matrix(x: Any) -> Any:
    """x in 40 digits."""
    return mpmath.matrix(np.asarray(x).tolist())


def _root(a: Any, power: int, least: Any = 0) -> Any:
    """a^(-1 / power) of a symmetric matrix, its eigenvalues raised by least."""
    values, q = mp.eigsy(a)
    scaled = [(x + least) ** (-mp.mpf(1) / power) for x in values]
    return q * mpmath.diag(scaled) * q.T


@pytest.mark.parametrize("exponent", ["half_order", "order"])
def test_shampoo_by_eigenvalues_in_40_digits(exponent: str) -> None:
    """Three steps with momentum; order -1 / k instead of -1 / (2 k) is another rule."""
    h = shampoo.Hyper(lr=0.5, momentum=0.5, eps=0.25, exponent=exponent)  # type: ignore[arg-type]
    s, p = _run(shampoo, h, P, GRADIENTS[:3])
    left, right, m, x = mp.eye(3) / 4, mp.eye(4) / 4, mp.zeros(3, 4), _matrix(P)
    power = 4 if exponent == "half_order" else 2
    for g in map(_matrix, GRADIENTS[:3]):
        left, right, m = left + g * g.T, right + g.T * g, (m + g) / 2
        x = x - _root(left, power) * m * _root(right, power) / 2
    assert _digits(p) == _digits(x)
    assert _digits(s.factors) == _digits(left) + _digits(right)
    assert _digits(s.roots) == _digits(_root(left, power)) + _digits(_root(right, power))
    seen = shampoo.observables(h, s, p)
    assert _digits(seen["inverted_0"]) == _digits(np.eye(3))
    assert _digits(seen["inverted_1"]) == _digits(np.eye(4))


def test_shampoo_of_a_tensor_is_its_kronecker_product_of_roots() -> None:
    """vec(step) = (X_1 x X_2 x X_3) vec(g) with exponents -1/6."""
    g = RNG.standard_normal((2, 3, 2))
    _, p = _run(shampoo, shampoo.Hyper(lr=1.0, eps=0.5), np.zeros_like(g), [g])
    whole = np.ones((1, 1))
    for i, n in enumerate(g.shape):
        a = np.array(
            [[np.sum(np.take(g, j, i) * np.take(g, k, i)) for k in range(n)] for j in range(n)]
        )
        root = _root(_matrix(a) + mp.eye(n) / 2, 6)
        whole = np.kron(whole, np.array(root.tolist(), dtype=float))
    assert _digits(p) == _digits(-whole @ g.ravel())


def test_shampoos_first_step_is_the_polar_factor() -> None:
    """Full rank and eps far below: -lr U V^T; with the exponent -1 / k it is -lr U S^-1 V^T."""
    u, s, v = mp.svd_r(_matrix(SQUARE[1]))
    for exponent, middle in (("half_order", mp.eye(4)), ("order", mpmath.diag([1 / x for x in s]))):
        h = shampoo.Hyper(lr=0.5, eps=1e-30, exponent=exponent)  # type: ignore[arg-type]
        _, p = _run(shampoo, h, np.zeros((4, 4)), [SQUARE[1]])
        assert _digits(p) == _digits(-0.5 * u * middle * v)


def test_shampoo_on_diagonal_gradients_is_adagrad() -> None:
    """g / sqrt(eps + sum g^2) on the diagonal, and nothing beside it."""
    diagonals = np.abs(SQUARE[0]) + 0.5
    _, p = _run(shampoo, shampoo.Hyper(lr=1.0, eps=0.25), np.zeros((4, 4)), map(np.diag, diagonals))
    totals = 0.25 + np.cumsum(diagonals**2, axis=0)
    assert _digits(p) == _digits(-np.diag(np.sum(diagonals / np.sqrt(totals), axis=0)))


def test_shampoo_on_vectors_is_full_adagrad_and_on_numbers_plain() -> None:
    """A vector moves by (eps I + sum g g^T)^(-1/2) g, a number by g itself."""
    h = shampoo.Hyper(lr=1.0, eps=0.5)
    _, p = _run(shampoo, h, np.zeros(4), SQUARE[0])
    a, x = mp.eye(4) / 2, mp.zeros(4, 1)
    for g in map(_matrix, SQUARE[0]):
        a = a + g * g.T
        x = x - _root(a, 2) * g
    assert _digits(p) == _digits(x)
    assert _run(shampoo, h, np.array(1.0), [0.25, 0.5])[1] == 0.25


def test_shampoos_factors_grow_by_the_gradients_products_and_bound_them() -> None:
    """Exact for integers; and sum g g^T / r < sqrt(L) x sqrt(R) where r is the largest rank, 3."""
    gradients = np.round(4 * GRADIENTS)
    s, _ = _run(shampoo, shampoo.Hyper(eps=1.0), P, gradients)
    left, right = shampoo.separated(s.factors, (3, 4))
    np.testing.assert_array_equal(left, np.eye(3) + sum(g @ g.T for g in gradients))
    np.testing.assert_array_equal(right, np.eye(4) + sum(g.T @ g for g in gradients))
    roots = [np.array(_root(_matrix(a), -2).tolist(), dtype=float) for a in (left, right)]
    outer = sum(np.outer(g.ravel(), g.ravel()) for g in gradients)
    assert np.linalg.eigvalsh(np.kron(*roots) - outer / 3)[0] > 0


def test_shampoo_follows_orthogonal_matrices_transposition_and_scale() -> None:
    """Q G W moves by Q Delta W, G^T by Delta^T; c G with c^2 eps as G, but not with -1 / k."""
    h = shampoo.Hyper(eps=0.25)
    zero = np.zeros((4, 4))
    _, p = _run(shampoo, h, zero, SQUARE)
    _, turned = _run(shampoo, h, zero, [HADAMARD @ g @ HADAMARD[::-1] for g in SQUARE])
    assert _digits(turned) == _digits(HADAMARD @ p @ HADAMARD[::-1])
    assert _digits(_run(shampoo, h, zero, [g.T for g in SQUARE])[1]) == _digits(p.T)
    scaled = dataclasses.replace(h, eps=16.0)
    assert _digits(_run(shampoo, scaled, zero, 8 * SQUARE)[1]) == _digits(p)
    ends = [
        _run(shampoo, dataclasses.replace(x, exponent="order"), zero, c * SQUARE)[1]
        for x, c in ((h, 1), (scaled, 8))
    ]
    assert _digits(8 * ends[1]) == _digits(ends[0])


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
    s, p = _run(shampoo, h, P, GRADIENTS[:2])
    left, right, x = mp.eye(3) / 4, mp.eye(4) / 4, _matrix(P)
    last = _matrix(GRADIENTS[0])
    for g in map(_matrix, GRADIENTS[:2]):
        g = (g + last) / 2
        left = left + g * g.T
        g = _root(left, 2) * g
        right = right + g.T * g
        last = g * _root(right, 2)
        x = x - last
    assert _digits(p) == _digits(x)
    assert _digits(s.m) == _digits(last)


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
    _, p = _run(distributed_shampoo, h, P, GRADIENTS[:3])
    left, right, m, v, b = mp.zeros(3), mp.zeros(4), mp.zeros(3, 4), mp.zeros(3, 4), mp.zeros(3, 4)
    x = _matrix(P)
    for t, g in enumerate(map(_matrix, GRADIENTS[:3]), 1):
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
    assert _digits(p) == _digits(x)


@pytest.mark.parametrize("ridge", ["absolute", "relative", "initial"])
def test_distributed_shampoos_ridges(ridge: str) -> None:
    """Factors from 0, or from eps I; raised by eps, eps times the largest eigenvalue, or 0."""
    h = distributed_shampoo.Hyper(lr=1.0, beta2=0.75, eps=0.125, ridge=ridge, **BARE)
    s, p = _run(distributed_shampoo, h, np.zeros((4, 4)), SQUARE[:1])
    seen = distributed_shampoo.observables(h, s, p)
    assert _digits(seen["inverted_0"]) == _digits(seen["inverted_1"]) == _digits(np.eye(4))
    g = _matrix(SQUARE[0])
    left, right = g * g.T / 4, g.T * g / 4
    if ridge != "absolute":
        left, right = (a + mp.mpf(0.75) / 8 * mp.eye(4) for a in (left, right))
    largest = max(mp.eigsy(left)[0])
    least = {"absolute": 0.125, "relative": largest / 8, "initial": 0}[ridge]
    assert _digits(p) == _digits(-_root(left, 4, least) * g * _root(right, 4, least))


def test_distributed_shampoo_without_its_additions_is_shampoo() -> None:
    """Sums from eps I, no ridge, no graft, no average: bit for bit."""
    h = distributed_shampoo.Hyper(lr=0.1, eps=1e-4, accumulation="sum", ridge="initial", **BARE)
    ends = [
        _run(module, x, P, GRADIENTS)[1]
        for module, x in ((distributed_shampoo, h), (shampoo, shampoo.Hyper()))
    ]
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("graft", ["adam", "adagrad", "rmsprop", "sgd", "sign"])
def test_the_graft_lends_its_length(graft: str) -> None:
    """Before the start the step is the graft's own; after it, as long as that."""
    h = distributed_shampoo.Hyper(lr=1.0, weight_decay=0.0, graft=graft, start=9)  # type: ignore[arg-type]
    first = _run(distributed_shampoo, h, 0 * P, GRADIENTS[:1])[1]
    g = GRADIENTS[0]
    due = {
        "adam": g / (np.abs(g) + 1e-8),
        "adagrad": g / (np.abs(g) + 1e-8),
        "rmsprop": g / (np.sqrt(1e-3) * np.abs(g) + 1e-8),
        "sgd": g,
        "sign": np.sign(g),
    }[graft]
    assert _digits(first) == _digits(-due)
    after = _run(distributed_shampoo, dataclasses.replace(h, start=1), 0 * P, GRADIENTS[:1])[1]
    assert _digits(np.linalg.norm(after)) == _digits(np.linalg.norm(first))
    assert _digits(after) != _digits(first)


def test_distributed_shampoo_before_its_start_is_adam() -> None:
    """With the decay in the direction it is AdamW's with decay before the step."""
    h = distributed_shampoo.Hyper(lr=0.1, weight_decay=0.5, start=9)
    due = adamw.Hyper(lr=0.1, weight_decay=0.5, decay="before")
    ends = [_run(m, x, P, GRADIENTS)[1] for m, x in ((distributed_shampoo, h), (adamw, due))]
    assert _digits(ends[0]) == _digits(ends[1])


def test_distributed_shampoos_momentum_is_torchs() -> None:
    """A graft of SGD before the start, undampened: Nesterov momentum on the gradient."""
    h = distributed_shampoo.Hyper(
        lr=0.1, momentum=0.75, nesterov=True, start=9, **{**BARE, "graft": "sgd"}
    )
    due = nesterov.Hyper(lr=0.1, momentum=0.75, form="torch")
    ends = [_run(m, x, P, GRADIENTS)[1] for m, x in ((distributed_shampoo, h), (nesterov, due))]
    assert _digits(ends[0]) == _digits(ends[1])


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


# SOAP


def _flipped(flat: Any, sides: tuple[int, int], signs: Any) -> Any:
    """Two joined bases with their columns times signs."""
    cut = sides[0] ** 2
    bases = flat[:cut].reshape(sides[0], -1), flat[cut:].reshape(sides[1], -1)
    return soap.joined([q * signs[: len(q)] for q in bases])


def _qr(a: Any) -> Any:
    """The orthogonal factor by Gram and Schmidt, whose signs are another's to choose."""
    columns: list[Any] = []
    for j in range(a.cols):
        x = a[:, j]
        for q in columns:
            x = x - q * (q.T * x)[0]
        columns.append(x / mp.norm(x))
    return mpmath.matrix([[q[i] for q in columns] for i in range(a.rows)])


@pytest.mark.parametrize("placement", ["outside", "before_correction"])
@pytest.mark.parametrize("order", ["kept", "sorted"])
def test_soap_in_40_digits(order: str, placement: str) -> None:
    """The first step makes the bases; four more, each with a power iteration after it."""
    h = soap.Hyper(
        lr=0.5,
        eps=0.25,
        weight_decay=0.25,
        shampoo_beta=0.5,
        precondition_frequency=1,
        order=order,  # type: ignore[arg-type]
        eps_placement=placement,  # type: ignore[arg-type]
    )
    gradients = [*SQUARE, -SQUARE[1]]
    s, p = _run(soap, h, SQUARE[0], gradients)
    first, *others = map(_matrix, gradients)
    factors = [first * first.T / 2, first.T * first / 2]
    bases = [_matrix(np.array(mp.eigsy(a)[1].tolist())[:, ::-1]) for a in factors]
    x, m, v, beta = _matrix(SQUARE[0]), mp.zeros(4), mp.zeros(4), mp.mpf(h.beta1)
    for k, g in enumerate(others, 1):
        left, right = bases
        turned = left.T * g * right
        m, v = beta * m + (1 - beta) * g, beta * v + (1 - beta) * turned.apply(lambda y: y * y)
        c = 1 - beta**k
        eps = 0.25 if placement == "outside" else 0.25 / mp.sqrt(c)
        inner = left.T * m * right / c
        for i in range(4):
            for j in range(4):
                inner[i, j] /= mp.sqrt(v[i, j] / c) + eps
        x = (x - left * inner * right.T / 2) * (1 - mp.mpf(0.125))
        factors = [(factors[0] + g * g.T) / 2, (factors[1] + g.T * g) / 2]
        for side, (a, q) in enumerate(zip(factors, bases, strict=True)):
            quotients = [(q[:, j].T * a * q[:, j])[0] for j in range(4)]
            columns = list(range(4))
            if order == "sorted":
                columns.sort(key=lambda j: -quotients[j])
                rows = np.array(v.tolist())
                v = _matrix(rows[:, columns] if side else rows[columns])
            bases[side] = _qr(a * _matrix(np.array(q.tolist())[:, columns]))
    assert _digits(p) == _digits(x)
    assert _digits(s.v) == _digits(v)
    assert _digits(s.m) == _digits(m)
    seen = soap.observables(h, s, p)
    for i, (a, q) in enumerate(zip(factors, bases, strict=True)):
        assert _digits(seen[f"factor_{i}"]) == _digits(a)
        assert _digits(seen[f"basis_{i}"]) == _digits(q.apply(abs))
        assert _digits(seen[f"orthogonality_{i}"]) == _digits(np.eye(4))


@pytest.mark.parametrize("decay", ["after", "before"])
@pytest.mark.parametrize("placement", ["outside", "before_correction"])
def test_soap_in_the_identity_basis_is_adam(placement: str, decay: str) -> None:
    """One step later, since its first one only makes the bases."""
    fields: dict[str, Any] = {"lr": 0.1, "eps": 0.25, "eps_placement": placement, "decay": decay}
    h = soap.Hyper(weight_decay=0.5, precondition_frequency=99, **fields)
    s, p = dataclasses.replace(soap.init(h, P), t=1), P
    for g in GRADIENTS:
        s, p = soap.step(h, s, p, g)
    due = adamw.Hyper(weight_decay=0.5, beta1=0.95, beta2=0.95, **fields)
    end, q = _run(adamw, due, P, GRADIENTS)
    assert _digits(p) == _digits(q)
    np.testing.assert_array_equal(s.m, end.m)
    np.testing.assert_array_equal(s.v, end.v)


def test_soaps_first_step_makes_the_bases_and_leaves_p() -> None:
    """Bit for bit, without decay; eigenvalues come largest first, for integers exactly 4, 1, 0."""
    g = np.array([[0.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    h = soap.Hyper(shampoo_beta=0.5, weight_decay=1.0)
    s, p = _run(soap, h, P, [g])
    np.testing.assert_array_equal(p, P)
    assert not np.any(s.m) and not np.any(s.v) and s.t == 1
    q, a = s.bases[:9].reshape(3, 3), s.factors[:9].reshape(3, 3)
    np.testing.assert_array_equal(np.diagonal(q.T @ a @ q), [2.0, 0.5, 0.0])


def test_soap_ignores_the_signs_of_its_bases_columns() -> None:
    """Flipped columns leave p, m, v and what is judged of the bases as they are."""
    h = soap.Hyper(precondition_frequency=1, order="sorted")
    s, p = _run(soap, h, P, GRADIENTS[:3])
    other = dataclasses.replace(s, bases=_flipped(s.bases, (3, 4), np.array([-1.0, 1, -1, 1])))
    seen = []
    for state in (s, other):
        new, q = soap.step(h, state, p, GRADIENTS[3])
        seen.append({k: _digits(x) for k, x in soap.observables(h, new, q).items()})
    assert seen[0] == seen[1]


def test_soap_follows_orthogonal_matrices_and_transposition() -> None:
    """Q G W moves by Q Delta W, G^T by Delta^T, where eigenvalues are distinct."""
    h = soap.Hyper(precondition_frequency=2, order="sorted", weight_decay=0.0)
    zero = np.zeros((4, 4))
    _, p = _run(soap, h, zero, SQUARE)
    _, turned = _run(soap, h, zero, [HADAMARD @ g @ HADAMARD[::-1] for g in SQUARE])
    assert _digits(turned) == _digits(HADAMARD @ p @ HADAMARD[::-1])
    assert _digits(_run(soap, h, zero, [g.T for g in SQUARE])[1]) == _digits(p.T)


def test_soap_leaves_long_axes_and_vectors_alone() -> None:
    """max_dim = 3 keeps the axis of 4 as it is; vectors are rotated where asked for."""
    s = soap.init(soap.Hyper(max_dim=3), P)
    assert (s.factors.size, s.bases.size) == (9, 9)
    assert soap.init(soap.Hyper(max_dim=2), P).bases.size == 0
    assert soap.init(soap.Hyper(), P[0]).bases.size == 0
    h = soap.Hyper(vectors="rotated", weight_decay=0.0)
    assert soap.init(h, P[0]).bases.size == 16
    # Every vector is rotated onto the first gradient, and from the same one comes a single number.
    _, p = _run(soap, h, 0 * P[0], [P[0], P[0]])
    assert _digits(p) == _digits(-h.lr * P[0] / np.linalg.norm(P[0]))


def test_soap_divides_its_step_by_its_size() -> None:
    """Root mean square lr; corrections that go with lr are not divided out."""
    for placement, factor in (("outside", 1.0), ("before_correction", np.sqrt(0.75) / 0.5)):
        h = soap.Hyper(
            lr=0.5,
            beta1=0.5,
            beta2=0.25,
            weight_decay=0.0,
            normalization="rms",
            eps_placement=placement,  # type: ignore[arg-type]
        )
        _, p = _run(soap, h, 0 * P, GRADIENTS[:2])
        assert _digits(np.sqrt(np.mean(p * p))) == _digits(0.5 * factor)


# What the three share


@pytest.mark.parametrize("module", RULES)
def test_nan_makes_all_nan_and_zero_leaves_p(module: Any) -> None:
    """nan in one element reaches every element of p; zero gradients move nothing."""
    h = dataclasses.replace(module.Hyper(), weight_decay=0.0)
    s, p = _run(module, h, P, GRADIENTS[:2])
    g = GRADIENTS[2].copy()
    g[1, 2] = np.nan
    _, p = module.step(h, s, p, g)
    assert np.all(np.isnan(p))
    np.testing.assert_array_equal(_run(module, h, P, [0 * P, 0 * P, 0 * P])[1], P)


@pytest.mark.parametrize("module", RULES)
def test_empty_tensors_stay_empty_and_count(module: Any) -> None:
    """Shapes with a zero axis, and lines without elements."""
    for shape in ((0, 3), (0,), (2, 0, 3)):
        s, p = _run(module, module.Hyper(), np.zeros(shape), [np.zeros(shape), np.zeros(shape)])
        assert (s.t, p.shape) == (2, shape)
        assert all(np.ndim(x) >= 1 for x in module.observables(module.Hyper(), s, p).values())


@pytest.mark.parametrize("module", RULES)
def test_maximizing_is_minimizing_the_negated_gradient(module: Any) -> None:
    """Bit for bit, weight decay included."""
    h = dataclasses.replace(module.Hyper(), weight_decay=0.5)
    up = dataclasses.replace(h, maximize=True)
    np.testing.assert_array_equal(
        _run(module, up, P, GRADIENTS)[1], _run(module, h, P, -GRADIENTS)[1]
    )


@pytest.mark.parametrize("module", RULES)
@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("lr", -1.0, ValueError),
        ("eps", float("inf"), ValueError),
        ("weight_decay", -0.5, ValueError),
        ("weight_decay", "0", TypeError),
        ("precondition_frequency", 0, ValueError),
        ("precondition_frequency", 2.0, TypeError),
        ("decay", "both", ValueError),
    ],
)
def test_values_outside_the_domain_are_refused(
    module: Any, field: str, value: Any, error: type[Exception]
) -> None:
    """The error names the field."""
    with pytest.raises(error, match=field):
        module.Hyper(**{field: value})


@pytest.mark.parametrize(
    ("module", "field", "value"),
    [
        (distributed_shampoo, "beta2", 1.0),
        (distributed_shampoo, "dampening", 1.0),
        (distributed_shampoo, "graft_beta2", -0.1),
        (distributed_shampoo, "graft_eps", -1e-8),
        (distributed_shampoo, "momentum", 1.0),
        (distributed_shampoo, "start", -1),
        (shampoo, "momentum", 1.0),
        (soap, "max_dim", 0),
        (soap, "shampoo_beta", 1.0),
    ],
)
def test_each_rules_own_values_are_checked(module: Any, field: str, value: Any) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=field):
        module.Hyper(**{field: value})
