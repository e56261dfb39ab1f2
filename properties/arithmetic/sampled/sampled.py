"""Monte Carlo arithmetic: a float64 value and replicates, rounded at random as a kernel may round.

For iterated matrix functions and decompositions a rigorous element-wise bound grows beyond any use
while kernels err by a few units. There the references run on these arrays: every operation of the
replicates errs at random by as much as a rounding in the declared format may (D. S. Parker, "Monte
Carlo Arithmetic", UCLA CSD-970002, 1997), sums err as the declared order lets them, and a
decomposition is that of a matrix perturbed by the backward error of a stable algorithm. How far the
replicates stray from the value is how far a correct kernel may.

Row 0 of ``x`` is the value, the other rows are replicates; shape and axes leave the rows out. What
it does not show: an error that every faithful kernel makes, but that no replicate does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from truestep.properties.arithmetic.bounded.bounded import Counter
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.formats import Format, format_named
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.arithmetic.sampled import functions as sampled_functions

Float = NDArray[np.float64]

# Probability with which a kernel that errs as the replicates do is called wrong, per judged tensor:
# a million tensors, several hundred certificates, fail once in a thousand by chance.
FALSE_ALARM = 1e-9


@cache
def quantile(count: int, elements: int = 1) -> float:
    """How many root mean squares of so many replicates an error exceeds with that probability.

    Student's t, two-sided, over all of so many elements together.
    """
    return float(stats.t.isf(FALSE_ALARM / (2 * elements), count))


def root_mean_square(rows: Float) -> Float:
    """Over the rows; squares of the smallest numbers would vanish."""
    unit = np.max(np.abs(rows), axis=0)
    safe = np.where(unit > 0, unit, 1.0)
    return np.asarray(unit * np.sqrt(np.mean((rows / safe) ** 2, axis=0)))


@dataclass(frozen=True, slots=True)
class Replicates:
    """The declared arithmetic, the number of replicates, and the source of their roundings.

    overflows: one entry for every operation that left the range, finite operands given. Another
    order of evaluation may not leave it: nothing that follows is certain.
    """

    arithmetic: Arithmetic
    count: int
    rng: np.random.Generator
    overflows: list[str] = field(default_factory=list)

    def watch(self, name: str, x: Float, operands: Sequence[Float]) -> None:
        """Note an overflow where all operands were finite and x is not."""
        finite = x.dtype.kind != "f" or np.all(np.isfinite(x))
        if not finite and all(np.all(np.isfinite(a)) for a in operands):
            self.overflows.append(name)

    def rounded(self, x: Float, format: Format, ulps: float = 0.5, exact: Any = None) -> Float:
        """x with an error of up to so many ulps in all rows but the first, unless it is exact.

        Exact is a number of the format on which all rows agree, where the mask exact, if given,
        allows it. Replicates keep what a format would round away: the error of a rounding is
        uniform, not the one that this very number makes.
        """
        x = np.asarray(x, dtype=np.float64)
        # Float64 cannot show what lies between its numbers: short significands are taken for exact.
        narrow = format if format.precision < FLOAT64.precision else FLOAT32
        kept = narrow.represents(x[0]) & np.all(x == x[:1], axis=0)
        if exact is not None:
            kept &= exact
        out = x.copy()
        out[1:] = self.flushed(np.where(kept, x[1:], self._strayed(x[1:], format, ulps)), format)
        return out

    def flushed(self, x: Float, format: Format) -> Float:
        """x with zeros in the place of subnormal numbers, where the arithmetic flushes them."""
        if self.arithmetic.subnormals == "kept":
            return x
        return np.where(np.abs(x) < format.least_normal, 0.0, x)

    def _strayed(self, x: Float, format: Format, ulps: float) -> Float:
        _, exponent = np.frexp(np.where(np.isfinite(x), x, 1.0))
        ulp = np.maximum(np.ldexp(1.0, exponent - format.precision), 2 * format.eta)
        error = self.rng.random(x.shape) - 0.5
        if ulps > 0.5:
            error += (2 * self.rng.random(x.shape) - 1) * (ulps - 0.5)
        if format.precision >= FLOAT64.precision:
            error = np.rint(1.25 * error)
        moved = np.where(np.isfinite(x), x + error * ulp, x)
        beyond = np.abs(moved) > format.largest
        return np.where(beyond, np.copysign(np.inf, moved), moved)

    def normal(self, shape: tuple[int, ...]) -> Float:
        """Standard normal numbers for every replicate, zero for the value."""
        out = np.zeros((self.count + 1, *shape))
        out[1:] = self.rng.standard_normal((self.count, *shape), dtype=np.float32)
        return out


FLOAT32, FLOAT64 = format_named("float32"), format_named("float64")


class Sampled(np.lib.mixins.NDArrayOperatorsMixin):
    """A value and its replicates: x of shape (1 + count, *shape), float64 or bool.

    host: a scalar that the host computes in its own format; meeting an array, it is rounded to the
    array's format. chain: of a matrix product that no other array has met yet, how many roundings,
    as a root mean square, the additions of its products one by one onto another number make.
    shrinks: of a host scalar 1 - a, where a is a product (lr weight_decay), |a|: a kernel may as
    well subtract a x from x. Of other products of host scalars 0, else None.
    """

    __slots__ = ("chain", "format", "host", "shrinks", "world", "x")
    __array_priority__ = 1000

    def __init__(
        self, x: Any, world: Replicates, format: Format, *, host: bool = False, chain: Any = None
    ) -> None:
        self.x = x
        self.world = world
        self.format = format
        self.host = host
        self.chain = chain
        self.shrinks: float | None = None

    @classmethod
    def exact(cls, x: Any, world: Replicates) -> Sampled:
        """Tensor x, which every kernel reads as it is, but for subnormals that it may flush."""
        value, format = np.asarray(x), world.arithmetic.format
        if value.dtype != bool:
            value = value.astype(np.float64)
        rows = np.broadcast_to(value, (world.count + 1, *value.shape))
        if world.arithmetic.subnormals == "flushed" and value.dtype != bool:
            rows = np.concatenate([rows[:1], world.flushed(rows[1:], format)])
        return cls(rows, world, format)

    @classmethod
    def hyper(cls, x: float, world: Replicates, format: Format | None = None) -> Sampled:
        """Host scalar x, rounded where the host keeps it in a narrower format than float64."""
        where = format or format_named(world.arithmetic.hyper)
        rows = np.full(world.count + 1, float(x))
        return cls(
            world.rounded(rows, where) if where != FLOAT64 else rows, world, where, host=True
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return tuple(self.x.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes of the value."""
        return int(self.x.ndim) - 1

    @property
    def size(self) -> int:
        """Number of elements of the value."""
        return int(np.prod(self.shape))

    @property
    def T(self) -> Sampled:
        """The transpose."""
        return self.like(self.x.transpose(0, *range(self.ndim, 0, -1)))

    def reshape(self, *shape: Any) -> Sampled:
        """The same elements in another shape."""
        to = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        whole = np.empty(self.shape, dtype=bool).reshape(to).shape
        return self.like(self.x.reshape(len(self.x), *whole))

    def __getitem__(self, index: Any) -> Sampled:
        parts = index if isinstance(index, tuple) else (index,)
        return self.like(self.x[(slice(None), *parts)])

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._agreed())

    def __int__(self) -> int:
        return int(self._agreed())

    def _agreed(self) -> Any:
        """The scalar that all rows hold; Undecided is raised where they differ."""
        rows = self.x.reshape(len(self.x), -1)
        if rows.shape[1] != 1:
            raise TypeError("the truth of several elements is not defined: use numpy.where")
        if np.any(rows[1:] != rows[0]):
            raise Undecided("rounding may turn this comparison either way")
        return rows[0, 0]

    def __float__(self) -> float:
        raise TypeError("a Sampled array does not become a float: its replicates would be lost")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a Sampled array does not become an ndarray: its replicates would be lost")

    def __repr__(self) -> str:
        return f"Sampled({self.x[0]!r}, {self.world.count} replicates, {self.format.name})"

    def staged(self, name: str) -> Sampled:
        """This array as it enters the named stage of a rule, in the format declared for it."""
        stages = self.world.arithmetic.stages
        format = format_named(stages[name]) if name in stages else self.world.arithmetic.format
        if format == self.format:
            return self
        return Sampled(self.world.rounded(self.x, format), self.world, format)

    def symmetric(self) -> Sampled:
        """This matrix, half of the replicates transposed."""
        turned = self.world.rng.random(len(self.x)) < 0.5
        turned[0] = False
        return self.like(np.where(turned[:, None, None], self.x.transpose(0, 2, 1), self.x))

    def like(self, x: Any, *, host: bool | None = None) -> Sampled:
        """Rows x in this array's world and format."""
        return Sampled(x, self.world, self.format, host=self.host if host is None else host)

    def lift(self, x: Any) -> Sampled:
        """x, a number or an array, in this array's world."""
        if isinstance(x, Sampled):
            return x
        if isinstance(x, Counter):
            format = format_named(self.world.arithmetic.counter)
            return Sampled.hyper(float(x), self.world, format)
        if isinstance(x, (bool, int, float, np.integer, np.floating)):
            return Sampled.hyper(float(x), self.world, FLOAT64)
        return Sampled.exact(x, self.world)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            raise TypeError(f"numpy.{ufunc.__name__} is not supported on Sampled arrays")
        with np.errstate(all="ignore"):
            return sampled_functions.applied(ufunc, [self.lift(x) for x in inputs])

    def __array_function__(
        self, function: Callable[..., Any], _: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        handler = sampled_functions.FUNCTIONS.get(function)
        if handler is None:
            raise TypeError(f"numpy.{function.__name__} is not supported on Sampled arrays")
        with np.errstate(all="ignore"):
            return handler(self, *args, **kwargs)

    def stored(self, tensor: str) -> Sampled:
        """This output after it is stored as the named tensor."""
        where = self.world.arithmetic.stored(tensor)
        if where == self.format:
            return self
        return Sampled(self.world.rounded(self.x, where), self.world, where)
