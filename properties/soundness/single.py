"""Arrays whose decompositions are LAPACK's single-precision ones, in several orders.

NumPy decomposes float32 matrices in float64 and rounds what it finds, which no kernel on a GPU can
afford: its vectors are orthonormal to half a unit, those of single precision to several. So a
kernel that stands for others has to take SciPy's routines; of transposed matrices and by other
drivers they go through other operations.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import scipy.linalg

from truestep.reference.validation import Array


def _svd(order: int, a: Array, full_matrices: bool = True, compute_uv: bool = True) -> Array:
    driver = ("gesdd", "gesvd")[order % 2]
    if order >= 2 and compute_uv:
        u, s, vt = scipy.linalg.svd(a.T, full_matrices=full_matrices, lapack_driver=driver)
        return vt.T, s, u.T
    return scipy.linalg.svd(
        a, full_matrices=full_matrices, compute_uv=compute_uv, lapack_driver=driver
    )


def _eigh(order: int, a: Array) -> Array:
    # Not by "evr", whose vectors may be off by thousands of units where eigenvalues are close.
    return scipy.linalg.eigh(a, lower=order < 2, driver=("evd", "ev")[order % 2])


def _qr(_: int, a: Array) -> Array:
    return scipy.linalg.qr(a, mode="economic")


def _inv(_: int, a: Array) -> Array:
    return scipy.linalg.inv(a)


def _solve(_: int, a: Array, b: Array) -> Array:
    return scipy.linalg.solve(a, b)


def _cholesky(_: int, a: Array) -> Array:
    return scipy.linalg.cholesky(a, lower=True)


Handler = Callable[..., Array]

_ROUTINES: dict[Handler, Handler] = {
    np.linalg.cholesky: _cholesky,
    np.linalg.eigh: _eigh,
    np.linalg.inv: _inv,
    np.linalg.qr: _qr,
    np.linalg.solve: _solve,
    np.linalg.svd: _svd,
}
ORDERS = 4


class Single(np.ndarray[tuple[int, ...], np.dtype[np.float32]]):
    """A float32 array of one of the orders; matrix products of the last two are of transposes."""

    order = 0

    @classmethod
    def of(cls, x: Array, order: int) -> Array:
        """x in float32, and what is made of it, in that order."""
        x = np.asarray(x)
        if x.dtype.kind in "biu":
            return x
        out = x.astype(np.float32).view(cls)
        out.order = order
        return out

    def __array_finalize__(self, origin: object) -> None:
        """A view or a copy is of the order of what it is made from."""
        self.order = getattr(origin, "order", 0)

    def __array_function__(
        self, function: Handler, types: Iterable[type], args: Array, kwargs: Mapping[str, Array]
    ) -> Array:
        """Decompositions by LAPACK in single precision, all else as NumPy has it."""
        if function not in _ROUTINES:
            return super().__array_function__(function, types, args, kwargs)
        bare = [np.asarray(x) if isinstance(x, np.ndarray) else x for x in args]
        if not all(np.all(np.isfinite(x)) for x in bare if isinstance(x, np.ndarray)):
            raise np.linalg.LinAlgError("the matrix holds nan or inf")
        found = _ROUTINES[function](self.order, *bare, **kwargs)
        if isinstance(found, tuple):
            return tuple(self.of(x, self.order) for x in found)
        return self.of(found, self.order)

    def __matmul__(self, other: Array) -> Array:
        """The product; of the last orders that of the transposes, which adds in another order."""
        if self.order < 2 or self.ndim != 2 or np.ndim(other) != 2:
            return super().__matmul__(other)
        product = np.asarray(other, np.float32).T.copy() @ np.asarray(self).T.copy()
        return self.of(product.T, self.order)
