"""Decompositions of Sampled matrices: those of a matrix perturbed by a stable algorithm's error.

Every LAPACK routine here is backward stable: what it returns is exact for A + E with |E|_2 at most
p(n) u |A|_2 (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorems 9.3,
10.3 and 19.4; LAPACK Users' Guide, 3rd ed., sections 4.7 to 4.9), with p linear in n. Of most
matrices |E|_2 is about sqrt(n) u |A|_2, but where all eigenvalues are nearly one, as those of a
ridge and little else, E gathers in a few elements, of up to n u |A|_2. So E is drawn with
independent normal elements of size u |A|_2 up to n = _EASY, and from there on n / _EASY times as
large. Computed vectors are orthonormal to p(n) u only (ibid.): they are moved by the root of as
much. Signs of singular vectors and eigenvectors, which no algorithm promises, are turned to those
of the value.
"""

import numpy as np

from truestep.properties.arithmetic.sampled.replicates import Float
from truestep.properties.arithmetic.sampled.rows import Rows, Sample
from truestep.reference.validation import Array

# Single-precision MKL and OpenBLAS left elements of E of up to 7 u |A|_2 at n = 9, 28 at n = 33 and
# 122 at n = 129, and moved vectors by 7, 10 and 16 u.
_EASY = 8


def _growth(x: Float) -> float:
    """How far the largest element of a backward error exceeds that of a small matrix."""
    return max(1.0, float(max(x.shape[-2:])) / _EASY)


def _perturbed(a: Rows, *, symmetric: bool = False) -> Array:
    """Rows of a with every replicate moved by a backward error; nan where a is not finite."""
    size = np.linalg.norm(np.where(np.isfinite(a.x), a.x, 0.0), ord=2, axis=(1, 2))
    noise = a.world.normal(a.shape)
    if symmetric:
        noise = (noise + noise.transpose(0, 2, 1)) / np.sqrt(2)
    return a.x + noise * (_growth(a.x) * a.format.u * size)[:, None, None]


def _rows(a: Sample, x: Array) -> Sample:
    return a.like(a.world.rounded(x, a.format), host=False)


def _vectors(a: Sample, x: Array) -> Sample:
    """Orthonormal vectors as they are computed."""
    return _rows(a, x + np.sqrt(_growth(x)) * a.format.u * a.world.normal(x.shape[1:]))


def _finite(a: Rows) -> None:
    """numpy.linalg raises on nan and inf; so do we, for all rows at once."""
    if not np.all(np.isfinite(a.x)):
        raise np.linalg.LinAlgError("the matrix holds nan or inf")


def _turned(vectors: Float, axis: int) -> Float:
    """Vectors along an axis with signs such that they point as those of row 0 do."""
    along = np.sum(vectors * vectors[:1], axis=axis, keepdims=True)
    return vectors * np.where(along < 0, -1.0, 1.0)


def eigh(_: Sample, a: Sample) -> tuple[Sample, Sample]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix."""
    _finite(a)
    values, vectors = np.linalg.eigh(_perturbed(a, symmetric=True))
    return _rows(a, values), _vectors(a, _turned(vectors, axis=1))


def svd(_: Sample, a: Sample, full_matrices: bool = True, compute_uv: bool = True) -> Array:
    """The thin singular value decomposition, or the singular values alone."""
    if full_matrices and compute_uv:
        raise TypeError("numpy.linalg.svd of a Sampled array needs full_matrices=False")
    _finite(a)
    u, s, vt = np.linalg.svd(_perturbed(a), full_matrices=False)
    if not compute_uv:
        return _rows(a, s)
    signs = np.where(np.sum(u * u[:1], axis=1, keepdims=True) < 0, -1.0, 1.0)
    return _vectors(a, u * signs), _rows(a, s), _vectors(a, vt * signs.transpose(0, 2, 1))


def qr(_: Sample, a: Sample) -> tuple[Sample, Sample]:
    """The thin QR factorization, with the signs of Householder's reflections."""
    _finite(a)
    q, r = np.linalg.qr(_perturbed(a))
    return _vectors(a, q), _rows(a, r)


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
