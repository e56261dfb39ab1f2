"""Exact arrays: NumPy dispatch over mpmath, to prove the float64 references to 50 digits."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
from scipy.special import erfinv

from truestep.properties.arithmetic.numpy_table import COMPARISONS, MOVES
from truestep.reference.validation import Array

Handler = Callable[..., Array]

DIGITS = 60  # ten more than the 50 that are claimed, for the roundings of mpmath itself


class Exact(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of mpmath.mpf under NumPy's operators; work inside ``mpmath.workdps(DIGITS)``."""

    __slots__ = ("x",)
    __array_priority__ = 1000

    def __init__(self, x: Array) -> None:
        self.x = np.asarray(x, dtype=object)

    @classmethod
    def of(cls, x: Array) -> Exact:
        """Every float64 of x as the mpf of the same value."""
        values = np.asarray(x, dtype=np.float64)
        out = np.empty(values.shape, dtype=object)
        for index in np.ndindex(values.shape):
            out[index] = mpmath.mpf(float(values[index]))
        return cls(out)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.x.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.x.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.x.size

    @property
    def T(self) -> Exact:
        """The transpose."""
        return Exact(self.x.T)

    def reshape(self, *shape: Array) -> Exact:
        """The same elements in another shape."""
        return Exact(self.x.reshape(*shape))

    def __getitem__(self, index: Array) -> Exact:
        return Exact(self.x[index])

    def __len__(self) -> int:
        return len(self.x)

    def __bool__(self) -> bool:
        return bool(self.x)

    def __floor__(self) -> int:
        return int(mpmath.floor(self.x.item()))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Array, **kwargs: Array) -> Array:
        operation = OPERATIONS.get(ufunc)
        if operation is None or method != "__call__" or kwargs:
            raise TypeError(f"numpy.{ufunc.__name__} is not supported on Exact arrays")
        return _wrapped(operation(*(_bare(x) for x in args)))

    def __array_function__(self, function: Handler, _: object, args: Array, kwargs: Array) -> Array:
        handler = FUNCTIONS.get(function)
        if handler is None:
            raise TypeError(f"numpy.{function.__name__} is not supported on Exact arrays")
        return _wrapped(handler(*_bare(args), **kwargs))


def _bare(x: Array) -> Array:
    """x without wrappers, floats and ints as mpf of the same value."""
    if isinstance(x, Exact):
        return x.x
    if isinstance(x, (list, tuple)):
        return type(x)(_bare(item) for item in x)
    if isinstance(x, bool | np.bool_) or (isinstance(x, np.ndarray) and x.dtype == bool):
        return x
    if isinstance(x, (float, np.floating)):
        return np.asarray(mpmath.mpf(float(x)), dtype=object)
    if isinstance(x, np.ndarray) and x.dtype != object:
        return Exact.of(x).x
    return x


def _wrapped(x: Array) -> Array:
    if isinstance(x, np.ndarray) and x.dtype == bool:
        return x
    if isinstance(x, (bool, np.bool_)):
        return np.asarray(x)
    return Exact(x)


def _each(function: Handler) -> Handler:
    vectorized = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(vectorized(x), dtype=object)


def _compared(ufunc: np.ufunc) -> Handler:
    return lambda a, b: np.asarray(ufunc(a, b), dtype=bool)


def _norm(x: Array, axis: Array = None, keepdims: bool = False) -> Array:
    return _each(mpmath.sqrt)(np.sum(x * x, axis=axis, keepdims=keepdims))


def _mean(x: Array, axis: Array = None, keepdims: bool = False) -> Array:
    s = np.sum(x, axis=axis, keepdims=keepdims)
    return s / mpmath.mpf(x.size // max(1, np.size(s)))


def _filled(value: int) -> Handler:
    return lambda x: Exact.of(np.full(np.shape(x), float(value))).x


def _power(a: Array, b: Array) -> Array:
    return np.frompyfunc(lambda x, y: mpmath.power(x, y), 2, 1)(a, b)


def _quotient(a: Array, b: Array) -> Array:
    """a / b; over zero as IEEE 754 divides, where mpmath raises."""
    return np.frompyfunc(lambda x, y: x / y if y else x * mpmath.inf, 2, 1)(a, b)


# mpmath's functions of one number, and NumPy's that compute with objects as they are.
_OF_ONE = {
    np.arctan: mpmath.atan, np.cos: mpmath.cos, np.exp: mpmath.exp, np.log: mpmath.log,
    np.sign: mpmath.sign, np.sin: mpmath.sin, np.sqrt: mpmath.sqrt, np.tanh: mpmath.tanh,
    erfinv: mpmath.erfinv,
}  # fmt: skip
_AS_THEY_ARE = (
    np.absolute, np.add, np.matmul, np.maximum, np.minimum, np.multiply, np.negative, np.positive,
    np.subtract,
)  # fmt: skip

OPERATIONS: dict[np.ufunc, Handler] = {
    **{compare: _compared(compare) for compare in COMPARISONS},
    **{ufunc: _each(function) for ufunc, function in _OF_ONE.items()},
    **{ufunc: ufunc for ufunc in _AS_THEY_ARE},
    np.divide: _quotient,
    np.isfinite: lambda x: np.asarray(_each(mpmath.isfinite)(x), dtype=bool),
    np.isnan: lambda x: np.asarray(_each(mpmath.isnan)(x), dtype=bool),
    np.power: _power,
    np.square: lambda x: x * x,
}

FUNCTIONS: dict[Handler, Handler] = {
    **{f: f for f in (*MOVES, np.concatenate, np.max, np.min, np.sort, np.stack, np.sum, np.where)},
    np.amax: np.max,
    np.amin: np.min,
    np.clip: lambda x, low, high: np.minimum(np.maximum(x, low), high),
    np.linalg.norm: _norm,
    np.mean: _mean,
    np.ones_like: _filled(1),
    np.zeros_like: _filled(0),
}
