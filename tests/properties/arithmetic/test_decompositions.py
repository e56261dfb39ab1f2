"""Decompositions of Sampled matrices: which way vectors point, how they err, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.arithmetic.sampled import Replicates, Sampled

U = format_named("float32").u
RNG = np.random.default_rng(3)
TALL = np.linalg.qr(RNG.standard_normal((40, 5)))[0]
SQUARE = np.linalg.qr(RNG.standard_normal((5, 5)))[0]
SIZES = np.asarray([16.0, 8.0, 4.0, 2.0, 1.0])
MATRIX = TALL * SIZES @ SQUARE.T


def exact(x: Any, count: int = 8, taken: Any = (None, None)) -> Sampled:
    """x as an input of so many replicates."""
    rng = np.random.default_rng(12)
    return Sampled.exact(x, Replicates(PROFILES["ieee_float32"], count, rng, taken=taken))


def pointing(x: Any, due: Any) -> Any:
    """The signs of the columns of all rows of x, where those of due are positive."""
    return np.sign(np.einsum("rij,ij->rj", x, due[:, : x.shape[2]]))


def test_singular_vectors_point_as_the_kernels_do() -> None:
    """The leading ones that it took; of those beyond, and where it took none, as the value's."""
    value = np.linalg.svd(MATRIX, full_matrices=False)
    signs = np.asarray([-1.0, 1.0, -1.0])
    # The kernel's own, which have errors.
    left = (value[0][:, :3] + 0.1 * RNG.standard_normal((40, 3))) * signs
    right = (value[2][:3] + 0.1 * RNG.standard_normal((3, 5))) * signs[:, None]
    for columns, rows in ((left, right), (left, None), (None, right), (left[:, :1], right[:1])):
        u, s, vt = np.linalg.svd(exact(MATRIX, taken=(columns, rows)), full_matrices=False)
        for x, due, taken in (
            (u.x, value[0], 0 if columns is None else columns.shape[1]),
            (vt.x.transpose(0, 2, 1), value[2].T, 0 if rows is None else rows.shape[0]),
        ):
            expected = np.append(signs[:taken], np.ones(5 - taken))
            assert np.all(pointing(x, due) == expected)
        assert np.max(np.abs(s.x - SIZES)) < 1e-4


def test_a_vector_that_says_nothing_of_a_sign_leaves_it() -> None:
    """It is orthogonal to the value's."""
    x, across = np.diag([2.0, 1.0]), np.asarray([[0.0], [1.0]])
    found = np.linalg.svd(exact(x, taken=(across, across.T)), full_matrices=False)
    due = np.linalg.svd(x)
    assert np.array_equal(found[0].x[0], due[0]) and np.array_equal(found[2].x[0], due[2])


def test_vectors_of_all_replicates_point_one_way() -> None:
    """Small perturbations turn LAPACK's signs; here they are those of the value."""
    for ones in RNG.choice([-1.0, 1.0], (8, 3, 3)):
        nearly = np.diag([3.0, 2.0, 1.0]) + 1e-9 * (ones + ones.T)
        found = np.linalg.eigh(exact(nearly))[1], np.linalg.svd(exact(nearly), False)[0]
        due = np.linalg.eigh(nearly)[1], np.linalg.svd(nearly)[0]
        for x, value in zip(found, due, strict=True):
            assert np.array_equal(x.x[0], value) and np.max(np.abs(x.x - value)) < 1e-4


def test_singular_values_alone_are_those_of_the_decomposition() -> None:
    """With the same replicates, and as many as there are."""
    alone = np.linalg.svd(exact(MATRIX), compute_uv=False)
    whole = np.linalg.svd(exact(MATRIX), full_matrices=False)[1]
    assert alone.shape == (5,)
    # They are rounded by other draws, to half an ulp each.
    assert np.max(np.abs(alone.x - whole.x)) <= 32 * U < np.max(np.abs(alone.x - SIZES))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(wrong: float) -> None:
    """By the same error for all three, whatever LAPACK does with it."""
    x = np.eye(3)
    x[2, 1] = x[1, 2] = wrong
    for function in (np.linalg.eigh, np.linalg.qr, lambda a: np.linalg.svd(a, False)):
        with pytest.raises(np.linalg.LinAlgError, match="holds nan or inf"):
            function(exact(x))


def strays(x: Any) -> tuple[Any, Any]:
    """Root mean squares over replicates, in u: of the lengths' squares, and of their sum."""
    lengths = np.sum(x[1:] ** 2, axis=1) - 1
    return (np.sqrt(np.mean(lengths**2)) / U, np.sqrt(np.mean(np.sum(lengths, axis=1) ** 2)) / U)


def test_vectors_err_as_reflections_and_rotations_make_them() -> None:
    """Lengths stray by what reflections do to all vectors, rotations to each, and noise to any.

    Of k = 5 columns of 40 rows: noise is sqrt(40 / 8) u an element, so that |v|^2 strays by twice
    that. A reflection whose tau is off by 2 u normally makes Q'Q stray by 4 u w w', w_j being the
    jth of a unit vector: their sum over j is 4 u, and k of them 4 sqrt(k) u. Rotations add
    2 sqrt(k) u to each length.
    """
    noise, reflections, rotations = 4 * 5, 16, 4 * 5
    q = np.linalg.qr(exact(MATRIX, 1024))[0].x
    u, s, vt = np.linalg.svd(exact(MATRIX, 1024), full_matrices=False)
    v = vt.x.transpose(0, 2, 1)
    assert strays(q)[1] == pytest.approx(np.sqrt(5 * (noise + reflections)), rel=0.1)
    assert strays(u.x)[1] == pytest.approx(np.sqrt(5 * (noise + reflections + rotations)), rel=0.1)
    # Square ones of fewer than eight rows have noise of u an element.
    assert strays(v)[1] == pytest.approx(np.sqrt(5 * (4 + reflections + rotations)), rel=0.1)
    for x in (q, u.x, v):
        assert np.linalg.norm(np.mean(x[1:] - x[0], axis=0)) < 64 * U
    # Singular values are those of the matrix and an error of 40 / 8 u, twice as iterated for.
    size = np.sqrt(np.mean((s.x[1:] - s.x[0]) ** 2)) / (U * SIZES[0])
    assert size == pytest.approx(2 * 40 / 8, rel=0.05)


def test_an_error_of_a_symmetric_matrix_has_no_axis() -> None:
    """Eigenvalues stray alike whether vectors are axes or not: by sqrt(2) times two errors of u."""
    values = np.asarray([8.0, 5.0, 3.0, 2.0, 1.0])
    turned = SQUARE * values @ SQUARE.T
    for x in (np.diag(values), (turned + turned.T) / 2):
        found = np.linalg.eigh(exact(x, 1024))[0].x
        size = np.sqrt(np.mean((found[1:] - found[0]) ** 2)) / (U * 8)
        assert size == pytest.approx(2 * np.sqrt(2), rel=0.1)


def test_an_error_of_a_positive_definite_matrix_has_no_axis() -> None:
    """L L' is the matrix but for a symmetric error, sqrt(2) times as large on its diagonal."""
    factor = np.linalg.cholesky(exact(np.diag([8.0, 5.0, 3.0]), 1024)).x
    error = (factor @ factor.transpose(0, 2, 1))[1:] - np.diag([8.0, 5.0, 3.0])
    size = np.sqrt(np.mean(error**2, axis=0)) / (U * 8)
    assert np.all(np.abs(size[~np.eye(3, dtype=bool)] - 1) < 0.15)
    assert np.all(np.diagonal(size) > 1.3) and np.all(np.diagonal(size) < 1.7)
