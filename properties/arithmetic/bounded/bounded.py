"""Error-carrying arrays: a float64 value and a bound on a faithful kernel's distance from it.

Running error analysis (Wilkinson; N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd
ed., section 3.3): each operation propagates the errors of its operands and adds its own rounding.
Beside value v and error e an element carries three facts that make the bound hold for every
association of the written formula, not only for the textbook's:

mass    sum of |terms| of the additive chain that v ends: a sum of n terms in any order errs by
        at most u times the mass per addition, even where the textbook's order cancels exactly.
reach   product of max(1, |factor|) over the multiplicative chain: a partial product that
        underflows by eta is later multiplied by at most reach; one beyond the largest number
        overflows.
links   number of operations in that multiplicative chain, each of which may underflow once.

Non-finite values: v = nan or inf with e = 0 says that a faithful kernel must give nan or that inf;
e = inf says that nothing is known, and the element is not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truestep.properties.arithmetic.bounded import functions as bounded_functions
from truestep.properties.arithmetic.bounded import operations as bounded_operations
from truestep.properties.arithmetic.decision import Decision
from truestep.properties.arithmetic.formats import Format, format_named
from truestep.properties.arithmetic.profiles import Arithmetic

Float = NDArray[np.float64]


class Counter(int):
    """The step counter: functions of it are computed in the arithmetic's counter format."""

    __slots__ = ()

    def __add__(self, other: int) -> Counter:
        return Counter(int(self) + other) if isinstance(other, int) else NotImplemented

    def __sub__(self, other: int) -> Counter:
        return Counter(int(self) - other) if isinstance(other, int) else NotImplemented


class Bounded(np.lib.mixins.NDArrayOperatorsMixin):
    """Values v, error bounds e, masses and reaches, all float64 of one shape, in one arithmetic.

    host: a scalar that the host computes (a hyperparameter or a function of the counter) in its own
    format; meeting an array, it is rounded to the array's format. nonnegative: no faithful kernel
    can give a negative value, whatever e says (a sum of squares). given: the elements are inputs,
    not results. shrinks: of a host scalar 1 - a, where a is a product (lr weight_decay), |a|: a
    kernel may as well subtract a x from x. Of other products of host scalars 0, else None.
    """

    __slots__ = (
        "arithmetic",
        "e",
        "format",
        "given",
        "host",
        "links",
        "mass",
        "nonnegative",
        "reach",
        "shrinks",
        "v",
    )
    __array_priority__ = 1000

    def __init__(
        self,
        v: Float,
        e: Float,
        arithmetic: Arithmetic,
        format: Format,
        *,
        mass: Float | None = None,
        reach: Float | None = None,
        links: int = 0,
        nonnegative: bool = False,
        host: bool = False,
        given: bool = False,
        shrinks: float | None = None,
    ) -> None:
        self.v = v
        self.e = e
        self.arithmetic = arithmetic
        self.format = format
        self.mass = np.abs(v) if mass is None else mass
        self.reach = np.maximum(self.mass, 1.0) if reach is None else reach
        self.links = links
        self.nonnegative = nonnegative
        self.host = host
        self.given = given
        self.shrinks = shrinks

    @classmethod
    def exact(cls, x: Any, arithmetic: Arithmetic) -> Bounded:
        """Tensor x, which the kernel reads as it is; flushed inputs may be read as zero."""
        v = np.asarray(x).astype(np.float64)
        e = np.zeros_like(v)
        if arithmetic.subnormals == "flushed":
            e = np.where(np.abs(v) < arithmetic.format.least_normal, np.abs(v), e)
        nonnegative = bool(np.all(v >= 0))
        return cls(v, e, arithmetic, arithmetic.format, nonnegative=nonnegative, given=True)

    @classmethod
    def hyper(cls, x: float, arithmetic: Arithmetic, format: Format | None = None) -> Bounded:
        """Host scalar x: exact in float64, rounded when the host keeps it in a narrower format."""
        return _host_scalar(float(x), arithmetic, format or format_named(arithmetic.hyper))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return np.shape(self.v)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return np.ndim(self.v)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.size(self.v))

    @property
    def T(self) -> Bounded:
        """The transpose."""
        return bounded_functions.structural(self, np.transpose)

    def reshape(self, *shape: Any) -> Bounded:
        """The same elements in another shape."""
        to = shape[0] if len(shape) == 1 else shape
        return bounded_functions.structural(self, lambda x: np.reshape(x, to))

    def __getitem__(self, index: Any) -> Bounded:
        return bounded_functions.structural(self, lambda x: np.asarray(x)[index])

    def __len__(self) -> int:
        return len(self.v)

    def __bool__(self) -> bool:
        raise TypeError(
            "the truth of a Bounded array is not defined: compare it and use numpy.where"
        )

    def __float__(self) -> float:
        raise TypeError("a Bounded array does not become a float: its error bound would be lost")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a Bounded array does not become an ndarray: its error bound would be lost")

    def __repr__(self) -> str:
        return f"Bounded({self.v!r}, e={self.e!r}, {self.format.name})"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        operation = bounded_operations.OPERATIONS.get(ufunc)
        if ufunc is np.matmul:
            operation = bounded_functions.matmul
        if operation is None or method != "__call__" or kwargs:
            called = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            with_ = f" with {', '.join(kwargs)}" if kwargs else ""
            raise TypeError(f"numpy.{called}{with_} is not supported on Bounded arrays")
        with np.errstate(all="ignore"):
            return operation(*(self._lift(x) for x in inputs))

    def __array_function__(
        self, function: Callable[..., Any], _: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        handler = bounded_functions.FUNCTIONS.get(function)
        if handler is None:
            raise TypeError(f"numpy.{function.__name__} is not supported on Bounded arrays")
        with np.errstate(all="ignore"):
            return handler(self, *args, **kwargs)

    def _lift(self, x: Any) -> Any:
        if isinstance(x, (Bounded, Decision)):
            return x
        if isinstance(x, Counter):
            return Bounded.hyper(int(x), self.arithmetic, format_named(self.arithmetic.counter))
        if isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, np.ndarray):
            return Bounded.hyper(float(x), self.arithmetic, format_named("float64"))
        if isinstance(x, np.ndarray) and x.dtype != object:
            return Bounded.exact(x, self.arithmetic)
        raise TypeError(f"cannot mix a Bounded array with {type(x).__name__}")

    def stored(self, tensor: str) -> Bounded:
        """What is left of this output after it is stored as the named tensor."""
        where = self.arithmetic.stored(tensor)
        if where.name == self.format.name:
            return self
        u = where.u * (2 if self.arithmetic.rounding == "stochastic" else 1)
        with np.errstate(all="ignore"):
            added = u * (np.abs(self.v) + self.e) + self.arithmetic.eta(where)
            kept = (self.e == 0) & (where.represents(self.v) | ~np.isfinite(self.v))
            e = np.where(kept, self.e, self.e + added)
            e = np.where(np.isfinite(self.v) & ~(np.abs(self.v) + e <= where.largest), np.inf, e)
        return Bounded(self.v, e, self.arithmetic, where, nonnegative=self.nonnegative)


@lru_cache(maxsize=4096)
def _host_scalar(x: float, arithmetic: Arithmetic, format: Format) -> Bounded:
    v = np.asarray(x, dtype=np.float64)
    e = np.where(format.represents(v), 0.0, format.u * np.abs(v) + format.eta)
    return Bounded(v, e, arithmetic, format, nonnegative=bool(v - e >= 0), host=True)
