"""The definition's value where sums over many are made in float32, one after another.

Squares of numbers with few bits end in the same bits, 001 if they are odd, so that a sum of them
that is rounded to nearest at every addition strays one way. What hangs on such a sum leans in
correct kernels too.
"""

from collections.abc import Callable

import numpy as np

from truestep.properties.arithmetic.lift import Lift
from truestep.reference.validation import Array


class InSequence(np.ndarray):
    """float64 numbers, of which numpy.sum and numpy.mean add one after another in float32."""

    def __array_function__(
        self, function: Callable[..., Array], types: Array, args: Array, kwargs: Array
    ) -> Array:
        if function in (np.sum, np.mean):
            return _reduced(function, *args, **kwargs).view(InSequence)
        return super().__array_function__(function, types, args, kwargs)


def _reduced(
    function: Callable[..., Array],
    x: Array,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
) -> Array:
    x = np.asarray(x)
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis) % x.ndim
    kept = [k for k in range(x.ndim) if k not in axes]
    rows = np.transpose(x, [*kept, *axes]).reshape(*(x.shape[k] for k in kept), -1)
    # A first term of 0: a sum over none is 0 too.
    rows = np.concatenate([np.zeros((*rows.shape[:-1], 1)), rows], axis=-1)
    total = np.add.accumulate(rows, axis=-1, dtype=np.float32)[..., -1].astype(np.float64)
    if function is np.mean:
        total = total / (rows.shape[-1] - 1)
    return np.expand_dims(total, tuple(axes)) if keepdims else np.asarray(total)


def in_sequence() -> Lift:
    """The arithmetic in which sums are so made, and all else is in float64."""

    def cast(x: Array) -> Array:
        x = np.asarray(x)
        return x if x.dtype.kind in "biu" else x.astype(np.float64).view(InSequence)

    def stored(_: str, x: Array) -> Array:
        return int(x) if isinstance(x, int) else np.asarray(x)

    return Lift(cast, lambda _, x: x, stored)
