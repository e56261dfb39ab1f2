"""SOAP: an independent route in 40 digits, and the laws that define it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

from truestep.reference.optimizers import adamw, soap

sys.path.insert(0, str(Path(__file__).parent))
from forty_digits import GRADIENTS, HADAMARD, SQUARE, P, digits, matrix, run


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
    s, p = run(soap, h, SQUARE[0], gradients)
    first, *others = map(matrix, gradients)
    factors = [first * first.T / 2, first.T * first / 2]
    bases = [matrix(np.array(mp.eigsy(a)[1].tolist())[:, ::-1]) for a in factors]
    x, m, v, beta = matrix(SQUARE[0]), mp.zeros(4), mp.zeros(4), mp.mpf(h.beta1)
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
                v = matrix(rows[:, columns] if side else rows[columns])
            bases[side] = _qr(a * matrix(np.array(q.tolist())[:, columns]))
    assert digits(p) == digits(x)
    assert digits(s.v) == digits(v)
    assert digits(s.m) == digits(m)
    seen = soap.observables(h, s, p)
    for i, (a, q) in enumerate(zip(factors, bases, strict=True)):
        assert digits(seen[f"factor_{i}"]) == digits(a)
        assert digits(seen[f"basis_{i}"]) == digits(q.apply(abs))
        assert digits(seen[f"orthogonality_{i}"]) == digits(np.eye(4))


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
    end, q = run(adamw, due, P, GRADIENTS)
    assert digits(p) == digits(q)
    np.testing.assert_array_equal(s.m, end.m)
    np.testing.assert_array_equal(s.v, end.v)


def test_soaps_first_step_makes_the_bases_and_leaves_p() -> None:
    """Bit for bit, without decay; eigenvalues come largest first, for integers exactly 4, 1, 0."""
    g = np.array([[0.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    h = soap.Hyper(shampoo_beta=0.5, weight_decay=1.0)
    s, p = run(soap, h, P, [g])
    np.testing.assert_array_equal(p, P)
    assert not np.any(s.m) and not np.any(s.v) and s.t == 1
    q, a = s.bases[:9].reshape(3, 3), s.factors[:9].reshape(3, 3)
    np.testing.assert_array_equal(np.diagonal(q.T @ a @ q), [2.0, 0.5, 0.0])


def test_soap_ignores_the_signs_of_its_bases_columns() -> None:
    """Flipped columns leave p, m, v and what is judged of the bases as they are."""
    h = soap.Hyper(precondition_frequency=1, order="sorted")
    s, p = run(soap, h, P, GRADIENTS[:3])
    other = dataclasses.replace(s, bases=_flipped(s.bases, (3, 4), np.array([-1.0, 1, -1, 1])))
    seen = []
    for state in (s, other):
        new, q = soap.step(h, state, p, GRADIENTS[3])
        seen.append({k: digits(x) for k, x in soap.observables(h, new, q).items()})
    assert seen[0] == seen[1]


def test_soap_follows_orthogonal_matrices_and_transposition() -> None:
    """Q G W moves by Q Delta W, G^T by Delta^T, where eigenvalues are distinct."""
    h = soap.Hyper(precondition_frequency=2, order="sorted", weight_decay=0.0)
    zero = np.zeros((4, 4))
    _, p = run(soap, h, zero, SQUARE)
    _, turned = run(soap, h, zero, [HADAMARD @ g @ HADAMARD[::-1] for g in SQUARE])
    assert digits(turned) == digits(HADAMARD @ p @ HADAMARD[::-1])
    assert digits(run(soap, h, zero, [g.T for g in SQUARE])[1]) == digits(p.T)


def test_soap_leaves_long_axes_and_vectors_alone() -> None:
    """max_dim = 3 keeps the axis of 4 as it is; vectors are rotated where asked for."""
    s = soap.init(soap.Hyper(max_dim=3), P)
    assert (s.factors.size, s.bases.size) == (9, 9)
    assert soap.init(soap.Hyper(max_dim=2), P).bases.size == 0
    assert soap.init(soap.Hyper(), P[0]).bases.size == 0
    # eps keeps what rounding leaves along the other axes from becoming whole steps.
    h = soap.Hyper(vectors="rotated", weight_decay=0.0, eps=1e-3)
    assert soap.init(h, P[0]).bases.size == 16
    # Every vector is rotated onto the first gradient, and from the same one comes a single number.
    _, p = run(soap, h, 0 * P[0], [P[0], P[0]])
    assert digits(p) == digits(-h.lr * P[0] / (np.linalg.norm(P[0]) + h.eps))


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
        _, p = run(soap, h, 0 * P, GRADIENTS[:2])
        assert digits(np.sqrt(np.mean(p * p))) == digits(0.5 * factor)
