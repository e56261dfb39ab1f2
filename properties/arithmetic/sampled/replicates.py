"""Monte Carlo arithmetic: a float64 value and replicates, rounded at random as a kernel may round.

For iterated matrix functions and decompositions a rigorous element-wise bound grows beyond any use
while kernels err by a few units. There the references run on these arrays: every operation of the
replicates errs at random by as much as a rounding in the declared format may (D. S. Parker, "Monte
Carlo Arithmetic", UCLA CSD-970002, 1997), sums err as the declared order lets them, and a
decomposition is that of a matrix perturbed by the backward error of a stable algorithm. How far the
replicates stray from the value is how far a correct kernel may.

What it does not show: an error that every faithful kernel makes, but that no replicate does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from truestep.properties.arithmetic.formats import FORMATS, Format
from truestep.properties.arithmetic.profiles import Arithmetic

Float = NDArray[np.float64]
FLOAT32, FLOAT64 = FORMATS["float32"], FORMATS["float64"]

# Probability with which a kernel that errs as the replicates do is called wrong, per judged tensor:
# a million tensors, several hundred certificates, fail once in a thousand by chance.
FALSE_ALARM = 1e-9


@cache
def quantile(count: int, elements: int = 1) -> float:
    """How many root mean squares of so many replicates an error exceeds with that probability.

    Student's t, two-sided, over all of so many elements together.
    """
    return -float(stdtrit(count, FALSE_ALARM / (2 * elements)))


def root_mean_square(rows: Float) -> Float:
    """Over the rows; squares of the smallest numbers would vanish."""
    unit = np.max(np.abs(rows), axis=0)
    safe = np.where(unit > 0, unit, 1.0)
    return np.asarray(unit * np.sqrt(np.mean((rows / safe) ** 2, axis=0)))


@dataclass(frozen=True, slots=True)
class Replicates:
    """The declared arithmetic, the number of replicates, and the source of their roundings.

    overflows: one entry for every operation that left the range, finite operands given. Another
    order of evaluation may not leave it: nothing that follows is certain. taken: the leading left
    singular vectors, as columns, and right ones, as rows, whose signs the judged kernel took.
    """

    arithmetic: Arithmetic
    count: int
    rng: np.random.Generator
    overflows: list[str] = field(default_factory=list)
    taken: tuple[Float | None, Float | None] = (None, None)

    def watch(self, name: str, x: Float, given: Callable[[], NDArray[np.bool_]]) -> None:
        """Note an overflow where an element of x is not finite, and what it is made of was.

        given(): where all of that was finite; asked only where something is not.
        """
        finite = x.dtype.kind != "f" or np.isfinite(x).all()
        if not finite and np.any(~np.isfinite(x) & given()):
            self.overflows.append(name)

    def rounded(
        self, x: Float, format: Format, ulps: float = 0.5, exact: NDArray[np.bool_] | None = None
    ) -> Float:
        """x with an error of up to so many ulps in all rows but the first, unless it is exact.

        Exact is a number of the format on which all rows agree, where the mask exact, if given,
        allows it. Replicates keep what a format would round away: the error of a rounding is
        uniform, not the one that this very number makes.
        """
        # Float64 cannot show what lies between its numbers: short significands are taken for exact.
        narrow = format if format.precision < FLOAT64.precision else FLOAT32
        kept = narrow.represents(x[0]) & (x == x[:1]).all(axis=0)
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
        moved: Float = x + error * ulp
        return np.where(np.abs(moved) > format.largest, np.copysign(np.inf, moved), moved)

    def normal(self, shape: tuple[int, ...]) -> Float:
        """Standard normal numbers for every replicate, zero for the value."""
        out = np.zeros((self.count + 1, *shape))
        out[1:] = self.rng.standard_normal((self.count, *shape), dtype=np.float32)
        return out
