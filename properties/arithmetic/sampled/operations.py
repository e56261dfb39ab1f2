"""Element operations on Sampled arrays: how each errs, and where rounding may turn its outcome."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeAlias

import numpy as np

from truestep.properties.arithmetic.formats import Format
from truestep.properties.arithmetic.numpy_table import COMPARISONS
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.arithmetic.sampled.replicates import Float, quantile, root_mean_square
from truestep.properties.arithmetic.sampled.rows import Rows, Sample
from truestep.reference.validation import Array

Mask: TypeAlias = Array

# Integers whose sums and products every format represents.
_SMALL = 256


def aligned(operands: Sequence[Rows]) -> list[Array]:
    """The operands' rows with axes of length one put in, so that they broadcast."""
    most = max(a.ndim for a in operands)
    return [a.x.reshape(len(a.x), *[1] * (most - a.ndim), *a.shape) for a in operands]


def meeting(operands: Sequence[Rows]) -> tuple[Format, bool]:
    """The format in which these operands are combined, and whether the host does it."""
    arrays = [a for a in operands if not a.host]
    if arrays:
        return min((a.format for a in arrays), key=lambda f: f.u), False
    return max((a.format for a in operands), key=lambda f: f.u), True


def entering(a: Sample, format: Format) -> Sample:
    """a as an operand in that format: a host scalar is rounded to it."""
    if not a.host or a.format == format or a.x.dtype == bool:
        return a
    out = a.like(a.world.rounded(a.x, format), format)
    out.shrinks = a.shrinks
    return out


def applied(ufunc: np.ufunc, *given: Sample) -> Sample:
    """A ufunc, but for matmul, on lifted operands."""
    if ufunc not in EXACT and ufunc not in ULPS:
        raise TypeError(f"numpy.{ufunc.__name__} is not supported on Sampled arrays")
    format, host = meeting(given)
    operands = [entering(a, format) for a in given]
    world = operands[0].world
    rows = aligned(operands)
    x = ufunc(*_away_from_zero(ufunc, rows))
    if ufunc in ULPS and x.dtype != bool:
        x = world.rounded(x, format, ULPS[ufunc](world.arithmetic), _in_any_order(ufunc, rows, x))
        world.watch(ufunc.__name__, x, lambda: _within_range(ufunc, rows))
    chain = None
    if ufunc in (np.add, np.subtract) and world.arithmetic.contraction:
        x = _accumulated(x, rows, operands, format)
    elif ufunc is np.multiply and not host and any(a.host for a in operands):
        x = _distributed(x, rows, operands, format)
        chain = next((a.chain for a in operands if a.chain is not None), None)
    if ufunc in COMPARISONS:
        x = _opened(x, *rows)
    elif ufunc is np.sign:
        x = _of_infinities(x, rows[0])
    elif ufunc is np.square or (ufunc is np.multiply and np.array_equal(rows[0], rows[-1])):
        x = _long_tailed(x, rows[0])
    out = operands[0].like(x, format, host=host, chain=chain)
    if host and ufunc is np.multiply:
        out.shrinks = 0.0
    elif host and ufunc is np.subtract and operands[1].shrinks is not None:
        out.shrinks = float(np.abs(rows[1][0])) if np.all(rows[0] == 1) else None
    return out


def _within_range(ufunc: np.ufunc, rows: list[Float]) -> Mask:
    """Where a result that is not finite has left the range: of finite operands, and of no pole.

    A division by zero is no overflow: the definition itself gives inf or nan.
    """
    finite = reduce(np.logical_and, map(np.isfinite, rows))
    if ufunc in (np.divide, np.power):
        return finite & (rows[ufunc is np.divide] != 0)
    return finite


def _distributed(x: Float, rows: list[Float], operands: Sequence[Rows], format: Format) -> Float:
    """A product of 1 - a and an array, which a kernel may compute as x - a x: a x is rounded.

    A term whose coefficient is exactly 0 may be left out: half of the replicates do so where the
    other factor is not finite.
    """
    for factor, other in ((operands[0], rows[1]), (operands[1], rows[0])):
        if factor.host and not np.any(factor.x):
            x = x.copy()
            x[1::2] = np.where(np.isfinite(other[1::2]), x[1::2], 0.0)
        if factor.shrinks:
            size = format.u * factor.shrinks * np.abs(other[1:])
            x = x.copy()
            x[1:] += size * factor.world.normal(x.shape[1:])[1:]
    return x


def _accumulated(x: Float, rows: list[Float], operands: Sequence[Rows], format: Format) -> Float:
    """A sum with a matrix product, whose terms a kernel may add to the other operand one by one.

    So does BLAS's gemm with beta, and every addition rounds a number of the other's size. Equal
    products are rounded the same way at one addition after another, in one element as in the next.
    """
    for a, other in ((operands[0], rows[1]), (operands[1], rows[0])):
        if a.chain is not None:
            ones = [1] * (x.ndim - a.chain.ndim)
            chain = a.chain.reshape(len(x), *ones, *a.chain.shape[1:])
            size = format.u * chain[1:] * np.abs(other[1:])
            common = a.world.normal((1,) * (x.ndim - 1))
            x = x.copy()
            x[1:] += size * (a.world.normal(x.shape[1:]) + common)[1:]
    return x


def _opened(outcome: Mask, left: Array, right: Array) -> Mask:
    """The outcome of a comparison, both ways among the replicates where rounding may turn it.

    Thirty-two replicates may all agree where one faithful kernel in fifty differs, and where a
    difference is nothing but rounding they never show the exact zero that a kernel can hit. So it
    is open wherever the difference is within what its spread reaches with probability FALSE_ALARM.
    """
    if left.dtype == bool or right.dtype == bool:
        return outcome
    close = within_reach_of_zero(left - right)
    if not np.any(close):
        return outcome
    out = outcome.copy()
    out[1::2] |= close
    out[2::2] &= ~close
    return out


def _of_infinities(x: Float, given: Float) -> Float:
    """The signs; of an infinity, nan in half of the replicates.

    It is an average's, never an input's own here, and may be inf - inf in another order: torch's
    lerp has other lines from a weight of 1/2 on.
    """
    out = x.copy()
    out[1::2] = np.where(np.isinf(given[1::2]), np.nan, x[1::2])
    return out


def _in_any_order(ufunc: np.ufunc, rows: list[Float], x: Float) -> Mask | None:
    """Where a result that happens to be exact is so in every order of evaluation.

    x + 0, 0 x, 2^k x, x / 2^k and small integers are; but b m + (1 - b) g may be evaluated as
    m + (1 - b) (g - m), which rounds where the other does not.
    """
    if ufunc not in (np.add, np.subtract, np.multiply, np.square, np.divide):
        return None
    values = [row[0] for row in (*rows, x)]
    whole = reduce(np.logical_and, [(np.abs(v) <= _SMALL) & (v == np.rint(v)) for v in values])
    if ufunc in (np.add, np.subtract):
        return whole | (values[0] == 0) | (values[1] == 0)
    significands = [np.abs(np.frexp(v)[0]) for v in values[:-1]]
    simple = [(m == 0.5) | (m == 0) for m in significands]
    if ufunc is np.divide:
        return whole | simple[1] | (values[0] == 0)
    return whole | reduce(np.logical_or, simple)


def _long_tailed(squares: Float, x: Float) -> Float:
    """Squares of x with replicates farther apart where x is hardly more than rounding.

    The square of a normal error is not normal: where the normal law allows t sqrt(3) of its root
    mean square, it reaches t^2.
    """
    close = within_reach_of_zero(x)
    if not np.any(close):
        return squares
    longer = quantile(len(x) - 1) / np.sqrt(3)
    out = squares.copy()
    out[1:] = np.where(close, squares[1:] * longer, squares[1:])
    return out


def within_reach_of_zero(x: Float) -> Mask:
    """Elements whose replicates' spread reaches zero with probability FALSE_ALARM."""
    spread = root_mean_square(x[1:] - x[0])
    return (spread > 0) & (np.abs(x[0]) <= quantile(len(x) - 1) * spread)


def _away_from_zero(ufunc: np.ufunc, rows: list[Array]) -> list[Array]:
    """The operands; where a pole lies within reach nothing is certain, and half the rows are nan.

    Not all of them, or it would be a nan that is due.
    """
    if ufunc is np.divide:
        at = 1
    elif ufunc is np.log or (ufunc is np.power and np.any(rows[1][0] < 0)):
        at = 0
    else:
        return rows
    close = within_reach_of_zero(rows[at])
    if np.any(close):
        moved = np.array(rows[at])
        moved[1::2] = np.where(close, np.nan, moved[1::2])
        rows = [moved if i == at else x for i, x in enumerate(rows)]
    return rows


EXACT = (
    *COMPARISONS, np.absolute, np.bitwise_and, np.bitwise_or, np.invert, np.isfinite, np.isnan,
    np.logical_and, np.logical_not, np.logical_or, np.maximum, np.minimum, np.negative, np.positive,
    np.sign,
)  # fmt: skip

ULPS: dict[np.ufunc, Callable[[Arithmetic], float]] = {
    np.add: lambda _: 0.5,
    np.arctan: lambda a: a.ulps_function,
    np.cbrt: lambda a: a.ulps_power,
    np.cos: lambda a: a.ulps_function,
    np.divide: lambda a: a.ulps_division,
    np.exp: lambda a: a.ulps_function,
    np.log: lambda a: a.ulps_function,
    np.multiply: lambda _: 0.5,
    np.power: lambda a: a.ulps_power,
    np.sin: lambda a: a.ulps_function,
    np.sqrt: lambda a: a.ulps_sqrt,
    np.square: lambda _: 0.5,
    np.subtract: lambda _: 0.5,
    np.tanh: lambda a: a.ulps_function,
}
