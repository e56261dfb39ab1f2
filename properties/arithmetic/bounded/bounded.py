"""Error-carrying arrays: a float64 value and a bound on a faithful kernel's distance from it."""

import math
from typing import Never, Self

import numpy as np
from scipy.special import erfinv

import truestep.properties.arithmetic.bounded.elementary as elementary
import truestep.properties.arithmetic.bounded.functions as functions
import truestep.properties.arithmetic.bounded.operations as operations
from truestep.properties.arithmetic.bounded.estimate import Estimate
from truestep.properties.arithmetic.bounded.functions import Handler
from truestep.properties.arithmetic.numpy_table import COMPARISONS
from truestep.reference.silence import SILENCE
from truestep.reference.validation import Array


class Bounded(Estimate, np.lib.mixins.NDArrayOperatorsMixin):
    """An Estimate under NumPy's operators and functions, through which a reference's lines run."""

    __slots__ = ()
    __array_priority__ = 1000

    @property
    def T(self) -> Self:
        """The transpose."""
        return functions.structural(self, np.transpose)

    def reshape(self, *shape: Array) -> Self:
        """The same elements in another shape."""
        return functions.structural(
            self, lambda x: np.reshape(x, shape[0] if len(shape) == 1 else shape)
        )

    def __getitem__(self, index: Array) -> Self:
        return functions.structural(self, lambda x: np.asarray(x)[index])

    def __bool__(self) -> bool:
        raise TypeError(
            "the truth of a Bounded array is not defined: compare it and use numpy.where"
        )

    def __float__(self) -> Never:
        raise TypeError("a Bounded array does not become a float: its error bound would be lost")

    def __floor__(self) -> int:
        """The whole part of a scalar; where rounding may pass an integer, a branch like others."""
        whole = math.floor(float(self.v))
        if self >= whole + 1:
            return whole + 1
        return whole if self >= whole else whole - 1

    def __array__(self, *_: object, **__: object) -> Never:
        raise TypeError("a Bounded array does not become an ndarray: its error bound would be lost")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Array, **kwargs: Array) -> Array:
        operation = OPERATIONS.get(ufunc)
        if operation is None or method != "__call__" or kwargs:
            called = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            with_ = f" with {', '.join(kwargs)}" if kwargs else ""
            raise TypeError(f"numpy.{called}{with_} is not supported on Bounded arrays")
        operands = tuple(self.lift(x) for x in args)
        if all(x.host for x in operands):
            return _of_scalars(operation, operands)
        with SILENCE:
            out = operation(*operands)
            if ufunc in PASSING and any(x.hazy is not None for x in operands):
                clear = {id(x): x.cleared for x in operands}
                out.clouded(operation(*(clear[id(x)] for x in operands)))
            return out

    def __array_function__(self, function: Handler, _: object, args: Array, kwargs: Array) -> Array:
        handler = functions.FUNCTIONS.get(function)
        if handler is None:
            raise TypeError(f"numpy.{function.__name__} is not supported on Bounded arrays")
        with SILENCE:
            out = handler(self, *args, **kwargs)
            if function is np.where and any(getattr(x, "hazy", None) is not None for x in args):
                clear = (x.cleared if isinstance(x, Bounded) else x for x in args)
                out.clouded(handler(self, *clear, **kwargs))
            return out


# What makes a nan of a nan; other operations may make a number of it.
PASSING = (
    np.absolute, np.add, np.divide, np.multiply, np.negative, np.positive, np.sqrt, np.square,
    np.subtract,
)  # fmt: skip

# Operations on scalars of the host, of which the steps of a run have the same again and again, by
# the operands' identities: they are kept with the result.
_SCALARS: dict[tuple[object, ...], tuple[tuple[Bounded, ...], Array]] = {}
_MOST_SCALARS = 4096


def _of_scalars(operation: Handler, operands: tuple[Bounded, ...]) -> Array:
    key = (operation, *map(id, operands))
    if key not in _SCALARS:
        with SILENCE:
            result = operation(*operands)
        if len(_SCALARS) >= _MOST_SCALARS:
            _SCALARS.clear()
        _SCALARS[key] = operands, result
    return _SCALARS[key][1]


OPERATIONS: dict[np.ufunc, Handler] = {
    **{compare: elementary.comparison(compare) for compare in COMPARISONS},
    np.absolute: elementary.absolute,
    np.add: operations.add,
    np.arctan: elementary.arctan,
    np.cos: elementary.cos,
    np.divide: operations.divide,
    np.exp: elementary.exp,
    np.fabs: elementary.absolute,
    np.isfinite: elementary.classification(np.isfinite),
    np.isinf: elementary.classification(np.isinf),
    np.isnan: elementary.classification(np.isnan),
    np.log: elementary.log,
    np.matmul: functions.matmul,
    np.maximum: elementary.maximum,
    np.minimum: elementary.minimum,
    np.multiply: operations.multiply,
    np.negative: elementary.negative,
    np.positive: elementary.positive,
    np.power: operations.power,
    np.sign: elementary.sign,
    np.sin: elementary.sin,
    np.sqrt: operations.sqrt,
    np.square: operations.square,
    np.subtract: operations.subtract,
    np.tanh: elementary.tanh,
    erfinv: elementary.erfinv,
}
