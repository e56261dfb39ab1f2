"""What a Bounded array holds, and how a number enters it.

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

Of a quotient that is itself divided by, divisor is the product of its scalar divisors beyond 1: x
over y / c may be x c over y, and x c overflow. fraction is that of the inverse of those below 1,
also of roots and sums: x over sqrt(y / c) + z may be x sqrt(c) over sqrt(y) + z sqrt(c), and
x sqrt(c) underflow; depth is what then multiplies the reach of that, but not of an overflow.

Non-finite values: v = nan or inf with e = 0 says that a faithful kernel must give nan or that inf;
e = inf says that nothing is known, and the element is not judged. A finite number over an infinity
is 0, unless the infinity was computed and is a nan in another order, as v + (1 - beta) (g g - v) is
where v is infinite: 0 or nan. Of such an element, and of what is computed from it, e = inf, and
hazy is the bound that holds where it is no nan.
"""

import dataclasses
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.formats import FORMATS, Format, format_named
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.reference.silence import SILENCE
from truestep.reference.validation import Array

Float = NDArray[np.float64]


@dataclass(slots=True, eq=False, repr=False)
class Estimate:
    """Values v, error bounds e, masses and reaches, all float64 of one shape, in one arithmetic.

    host: a scalar that the host computes (a hyperparameter or a function of the counter) in its own
    format; meeting an array, it is rounded to the array's format. nonnegative: no faithful kernel
    can give a negative value, whatever e says (a sum of squares). given: the elements are inputs,
    not results. shrinks: of a host scalar 1 - a, where a is a product (lr weight_decay), |a|: a
    kernel may as well subtract a x from x. Of other products of host scalars 0, else None. beyond:
    which elements are no finite numbers of the format for certain, even at twice their bound; of
    what is computed from them, nothing is known, since another order may not go through them.
    sheer: an infinity among the elements is one in every order, as of a sum of squares. hazy: the
    bounds of elements that are else nan, infinite elsewhere; None where there are none.
    """

    v: Float
    e: Float
    arithmetic: Arithmetic
    format: Format
    _: KW_ONLY
    mass: Float = None  # type: ignore[assignment]  # |v|, unless given
    reach: Float = None  # type: ignore[assignment]  # max(mass, 1), unless given
    links: int = 0
    nonnegative: bool = False
    host: bool = False
    given: bool = False
    shrinks: float | None = None
    beyond: Array = False
    divisor: float = 1.0
    fraction: float = 1.0
    depth: float = 1.0
    sheer: bool = False
    hazy: Float | None = None

    def __post_init__(self) -> None:
        if self.mass is None:
            self.mass = np.abs(self.v)
        if self.reach is None:
            self.reach = np.maximum(self.mass, 1.0)

    @classmethod
    def exact(cls, x: Array, arithmetic: Arithmetic) -> Self:
        """Tensor x, which the kernel reads as it is; flushed inputs may be read as zero."""
        v = np.asarray(x).astype(np.float64)
        e = np.zeros_like(v)
        if arithmetic.subnormals == "flushed":
            size = np.abs(v)
            e = np.where(size < arithmetic.format.least_normal, size, e)
        nonnegative = bool((v >= 0).all())
        return cls(v, e, arithmetic, arithmetic.format, nonnegative=nonnegative, given=True)

    @classmethod
    def constant(cls, x: Array, arithmetic: Arithmetic) -> Self:
        """Tensor x of the lines' own numbers, which a kernel rounds where its format lacks them."""
        made = cls.exact(x, arithmetic)
        held = arithmetic.format.represents(made.v) | ~np.isfinite(made.v)
        lost = arithmetic.format.u * np.abs(made.v) + arithmetic.eta(arithmetic.format)
        made.e = np.where(held, made.e, made.e + lost)
        return made

    @classmethod
    def hyper(cls, x: float, arithmetic: Arithmetic, format: Format | None = None) -> Self:
        """Host scalar x: exact in float64, rounded when the host keeps it in a narrower format."""
        where = format or format_named(arithmetic.hyper)
        return _host_scalar(cls, float(x), arithmetic, where)  # type: ignore[arg-type,no-any-return]

    def like(self, v: Float, e: Float, format: Format | None = None, **facts: Array) -> Self:
        """Other numbers in this array's arithmetic, with facts of their own."""
        return type(self)(v, e, self.arithmetic, format or self.format, **facts)

    def lift(self, x: Array) -> Self:
        """x, a number or an array, in this array's arithmetic."""
        if isinstance(x, type(self)):
            return x
        if isinstance(x, Counter):
            return self.hyper(int(x), self.arithmetic, format_named(self.arithmetic.counter))
        if isinstance(x, (int, float, np.integer, np.floating)):
            return self.hyper(float(x), self.arithmetic, FORMATS["float64"])
        if isinstance(x, np.ndarray) and x.dtype != object:
            return self.constant(x, self.arithmetic)
        raise TypeError(f"cannot mix a Bounded array with {type(x).__name__}")

    @property
    def cleared(self) -> Self:
        """The same, as if no element were the nan that it may be."""
        if self.hazy is None:
            return self
        copy = dataclasses.replace(self, e=np.minimum(self.e, self.hazy), hazy=None)
        return copy

    def clouded(self, clear: Self) -> Self:
        """self, hazy where all that is unknown of it is whether an operand was a nan.

        clear: the same of operands that are none.
        """
        bounds = clear.e if clear.hazy is None else np.minimum(clear.e, clear.hazy)
        self.hazy = np.where(np.isinf(self.e), bounds, np.inf)
        return self

    def covering(self, other: Self) -> Self:
        """The same value, with an error that reaches what another way to compute it may give."""
        with SILENCE:
            e = np.maximum(self.e, np.abs(other.v - self.v) + other.e)
        return self.like(self.v, np.where(np.isnan(e), np.inf, e), self.format, host=self.host)

    def stored(self, tensor: str) -> Self:
        """What is left of this output after it is stored as the named tensor."""
        where = self.arithmetic.stored(tensor)
        if where.name == self.format.name:
            return self
        out = self._stored(where)
        return out if self.hazy is None else out.clouded(self.cleared._stored(where))

    def _stored(self, where: Format) -> Self:
        u = where.u * (2 if self.arithmetic.rounding == "stochastic" else 1)
        with SILENCE:
            added = u * (np.abs(self.v) + self.e) + self.arithmetic.eta(where)
            exact = (self.e == 0) & (where.represents(self.v) | ~np.isfinite(self.v))
            kept = exact | np.isinf(self.e)  # of nan with e = inf the sum would be nan
            e = np.where(kept, self.e, self.e + added)
            e = np.where(np.isfinite(self.v) & ~(np.abs(self.v) + e <= where.largest), np.inf, e)
        return self.like(self.v, e, where, nonnegative=self.nonnegative)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.v.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.v.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.v.size

    def __len__(self) -> int:
        return len(self.v)

    def __repr__(self) -> str:
        return f"Bounded({self.v!r}, e={self.e!r}, {self.format.name})"


Carried = TypeVar("Carried", bound=Estimate)


@lru_cache(maxsize=4096)
def _host_scalar(cls: type[Carried], x: float, arithmetic: Arithmetic, format: Format) -> Carried:
    v = np.asarray(x, dtype=np.float64)
    e = np.where(format.represents(v), 0.0, format.u * np.abs(v) + format.eta)
    return cls(v, e, arithmetic, format, nonnegative=bool(v - e >= 0), host=True)
