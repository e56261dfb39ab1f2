"""Sampled arrays: a float64 value and replicates, rounded at random as a kernel may round."""

from collections.abc import Iterator
from typing import Never, Self

import numpy as np

from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.sampled.functions import FUNCTIONS, Handler
from truestep.properties.arithmetic.sampled.operations import applied
from truestep.properties.arithmetic.sampled.rows import Rows
from truestep.properties.arithmetic.sampled.sums import matmul
from truestep.reference.silence import SILENCE
from truestep.reference.validation import Array


class Sampled(Rows, np.lib.mixins.NDArrayOperatorsMixin):
    """Rows under NumPy's operators and functions, through which a reference's lines run."""

    __slots__ = ()
    __array_priority__ = 1000

    @property
    def T(self) -> Self:
        """The transpose."""
        return self.like(self.x.transpose(0, *range(self.ndim, 0, -1)))

    def __getitem__(self, index: Array) -> Self:
        parts = index if isinstance(index, tuple) else (index,)
        return self.like(self.x[(slice(None), *parts)])

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._agreed())

    def __int__(self) -> int:
        return int(self._agreed())

    def _agreed(self) -> float:
        """The scalar that all rows hold; Undecided is raised where they differ."""
        rows = self.x.reshape(len(self.x), -1)
        if rows.shape[1] != 1:
            raise TypeError("the truth of several elements is not defined: use numpy.where")
        if np.any(rows[1:] != rows[0]):
            raise Undecided("rounding may turn this comparison either way")
        return float(rows[0, 0])

    def __float__(self) -> Never:
        raise TypeError("a Sampled array does not become a float: its replicates would be lost")

    def __array__(self, *_: object, **__: object) -> Never:
        raise TypeError("a Sampled array does not become an ndarray: its replicates would be lost")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Array, **kwargs: Array) -> Self:
        if method != "__call__" or kwargs:
            raise TypeError(f"numpy.{ufunc.__name__} is not supported on Sampled arrays")
        operands = [self.lift(x) for x in args]
        with SILENCE:
            return matmul(*operands) if ufunc is np.matmul else applied(ufunc, *operands)

    def __array_function__(self, function: Handler, _: object, args: Array, kwargs: Array) -> Array:
        handler = FUNCTIONS.get(function)
        if handler is None:
            raise TypeError(f"numpy.{function.__name__} is not supported on Sampled arrays")
        with SILENCE:
            return handler(self, *args, **kwargs)
