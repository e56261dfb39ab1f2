"""Decompositions of Sampled matrices: those of a matrix perturbed by a stable algorithm's error.

Every LAPACK routine here is backward stable: what it returns is exact for A + E with |E|_2 at most
p(n) u |A|_2 (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorems 9.3,
10.3 and 19.4; LAPACK Users' Guide, 3rd ed., sections 4.7 to 4.9), with p linear in n. Of most
matrices |E|_2 is about sqrt(n) u |A|_2, but where all eigenvalues are nearly one, as those of a
ridge and little else, E gathers in a few elements, of up to n u |A|_2. So E is drawn with
independent normal elements of size u |A|_2 up to n = _EASY, and from there on n / _EASY times as
large; twice that where singular values or eigenvalues are iterated for, about two sweeps each, in
which rotations from both sides turn it against its neighbours: four errors of u |A|_2.

Computed vectors are orthonormal to p(n) u only (ibid.): they are moved by the root of as much. All
are made by reflections 1 - tau v v', one for each, and where tau is off by d, Q becomes
Q (1 + 2 d w w') with a unit vector w that has nothing before its own place: an error of all
elements together. Each of k singular vectors or eigenvectors takes part in about 4 k rotations
besides, and one whose c^2 + s^2 is rounded to 1 + O(u) makes its vectors longer or shorter: |v|^2
strays by 2 sqrt(k) u. Signs of such vectors, which no algorithm promises, are turned to those of
the value, and those of the value to those that the judged kernel took where its state keeps them.
"""

import numpy as np

from truestep.properties.arithmetic.sampled.replicates import Float
from truestep.properties.arithmetic.sampled.rows import Rows, Sample
from truestep.reference.validation import Array

# Single-precision MKL and OpenBLAS left elements of E of up to 7 u |A|_2 at n = 9, 28 at n = 33 and
# 122 at n = 129, and moved vectors by 7, 10 and 16 u. Of random matrices E turned neighbours among
# the larger half of the singular values by 1.5 u |A|_2 as a root mean square, all by 1.0.
_EASY = 8


def _growth(x: Float) -> float:
    """How far the largest element of a backward error exceeds that of a small matrix."""
    return max(1.0, float(max(x.shape[-2:])) / _EASY)


# What is iterated for errs as twice as much.
_ITERATED = 2.0


def _perturbed(a: Rows, *, symmetric: bool = False, times: float = 1.0) -> Array:
    """Rows of a with every replicate moved by a backward error; nan where a is not finite."""
    size = np.linalg.norm(np.where(np.isfinite(a.x), a.x, 0.0), ord=2, axis=(1, 2))
    noise = a.world.normal(a.shape)
    if symmetric:
        noise = (noise + noise.transpose(0, 2, 1)) / np.sqrt(2)
    return a.x + noise * (times * _growth(a.x) * a.format.u * size)[:, None, None]


def _rows(a: Sample, x: Array) -> Sample:
    return a.like(a.world.rounded(x, a.format))


def _reflected(a: Sample, x: Array) -> Sample:
    """Orthonormal columns as reflections make them."""
    k = x.shape[-1]
    w = np.tril(a.world.normal((k, k)))
    w[0] = np.eye(k)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    off = 2 * a.format.u * a.world.normal((1, k))
    x = x + ((x @ w) * off) @ w.transpose(0, 2, 1)
    return _rows(a, x + np.sqrt(_growth(x)) * a.format.u * a.world.normal(x.shape[1:]))


def _rotated(a: Sample, x: Array) -> Sample:
    """Orthonormal columns as reflections and then rotations make them."""
    # Of random matrices of 2, 5, 16 and 129 rows MKL's and OpenBLAS's |v|^2 strayed by 2.6, 4.5,
    # 6.3 and 11 u as a root mean square, and after QR by 1.8, 2.5, 2.8 and 3.5 u.
    k = x.shape[-1]
    return _reflected(a, x * (1 + np.sqrt(k) * a.format.u * a.world.normal((1, k))))


def _finite(a: Rows) -> None:
    """numpy.linalg raises on nan and inf; so do we, for all rows at once."""
    if not np.all(np.isfinite(a.x)):
        raise np.linalg.LinAlgError("the matrix holds nan or inf")


def _pointing(vectors: Float, taken: Float | None = None) -> Float:
    """Columns that point as those of row 0 do, or the leading ones as those first taken."""
    due = vectors[0].copy()
    if taken is not None:
        leading = due[:, : taken.shape[1]]
        leading[...] = np.where(np.sum(leading * taken, axis=0) < 0, -leading, leading)
    turned = np.signbit(np.sum(vectors * due, axis=1, keepdims=True))
    return np.where(turned, -vectors, vectors)


def eigh(_: Sample, a: Sample) -> tuple[Sample, Sample]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix."""
    _finite(a)
    values, vectors = np.linalg.eigh(_perturbed(a, symmetric=True, times=_ITERATED))
    return _rows(a, values), _rotated(a, _pointing(vectors))


def svd(_: Sample, a: Sample, full_matrices: bool = True, compute_uv: bool = True) -> Array:
    """The thin singular value decomposition, or the singular values alone."""
    if full_matrices and compute_uv:
        raise TypeError("numpy.linalg.svd of a Sampled array needs full_matrices=False")
    _finite(a)
    u, s, vt = np.linalg.svd(_perturbed(a, times=_ITERATED), full_matrices=False)
    if not compute_uv:
        return _rows(a, s)
    columns, rows = a.world.taken
    v = _pointing(vt.transpose(0, 2, 1), None if rows is None else rows.T)
    right = _rotated(a, v)
    return _rotated(a, _pointing(u, columns)), _rows(a, s), right.like(right.x.transpose(0, 2, 1))


def qr(_: Sample, a: Sample) -> tuple[Sample, Sample]:
    """The thin QR factorization, with the signs of Householder's reflections."""
    _finite(a)
    q, r = np.linalg.qr(_perturbed(a))
    return _reflected(a, q), _rows(a, r)


def inv(_: Sample, a: Sample) -> Sample:
    """The inverse."""
    return _rows(a, np.linalg.inv(_perturbed(a)))


def solve(like: Sample, a: Array, b: Array) -> Sample:
    """The solution of a x = b for a matrix or a vector b."""
    matrix, right = like.lift(a), like.lift(b)
    columns = right.x[..., None] if right.ndim == 1 else right.x
    x = np.linalg.solve(_perturbed(matrix), columns)
    return _rows(matrix, x[..., 0] if right.ndim == 1 else x)


def cholesky(_: Sample, a: Sample) -> Sample:
    """The lower Cholesky factor of a positive definite matrix."""
    return _rows(a, np.linalg.cholesky(_perturbed(a, symmetric=True)))
