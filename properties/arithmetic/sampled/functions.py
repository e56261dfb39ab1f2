"""Operations of Sampled arrays: element by element, sums and products, structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from truestep.properties.arithmetic.formats import Format, format_named
from truestep.properties.arithmetic.sampled import decompositions as sampled_decompositions
from truestep.properties.arithmetic.sampled import sampled

if TYPE_CHECKING:
    from truestep.properties.arithmetic.sampled.sampled import Sampled

# Products that kernels of matrix multiplication add in one accumulator before they change panels.
_PANEL = 256
# Cosine between the terms of a sum and equal terms from which on they count as equal.
_ALIKE = 0.999
# A longer sum is split into this many parts, whose additions are rounded one by one.
_PARTS = 4
# Integers whose sums and products every format represents.
_SMALL = 256


def aligned(operands: Sequence[Sampled]) -> list[Any]:
    """The operands' rows with axes of length one put in, so that they broadcast."""
    most = max(a.ndim for a in operands)
    return [a.x.reshape(len(a.x), *[1] * (most - a.ndim), *a.shape) for a in operands]


def meeting(operands: Sequence[Sampled]) -> tuple[Format, bool]:
    """The format in which these operands are combined, and whether the host does it."""
    arrays = [a for a in operands if not a.host]
    if arrays:
        return min((a.format for a in arrays), key=lambda f: f.u), False
    return max((a.format for a in operands), key=lambda f: f.u), True


def entering(a: Sampled, format: Format) -> Sampled:
    """a as an operand in that format: a host scalar is rounded to it."""
    if not a.host or a.format == format or a.x.dtype == bool:
        return a
    out = sampled.Sampled(a.world.rounded(a.x, format), a.world, format, host=a.host)
    out.shrinks = a.shrinks
    return out


def applied(ufunc: np.ufunc, operands: Sequence[Sampled]) -> Sampled:
    """A ufunc on lifted operands."""
    if ufunc is np.matmul:
        return matmul(*operands)
    if ufunc not in EXACT and ufunc not in ULPS:
        raise TypeError(f"numpy.{ufunc.__name__} is not supported on Sampled arrays")
    format, host = meeting(operands)
    operands = [entering(a, format) for a in operands]
    world = operands[0].world
    rows = aligned(operands)
    x = ufunc(*_away_from_zero(ufunc, rows))
    if ufunc in ULPS and x.dtype != bool:
        x = world.rounded(x, format, ULPS[ufunc](world.arithmetic), _in_any_order(ufunc, rows, x))
        # Division by zero is no overflow: the definition itself gives inf or nan.
        if ufunc not in (np.divide, np.power) or np.all(rows[ufunc is np.divide] != 0):
            world.watch(ufunc.__name__, x, rows)
    chain = None
    if ufunc in (np.add, np.subtract) and world.arithmetic.contraction:
        x = _accumulated(x, rows, operands, format)
    elif ufunc is np.multiply and not host and any(a.host for a in operands):
        x = _distributed(x, rows, operands, format)
        chain = next((a.chain for a in operands if a.chain is not None), None)
    if ufunc in COMPARISONS:
        x = _opened(x, *rows)
    elif ufunc is np.square or (ufunc is np.multiply and np.array_equal(rows[0], rows[-1])):
        x = _long_tailed(x, rows[0])
    out = sampled.Sampled(x, world, format, host=host, chain=chain)
    if host and ufunc is np.multiply:
        out.shrinks = 0.0
    elif host and ufunc is np.subtract and operands[1].shrinks is not None:
        out.shrinks = float(np.abs(rows[1][0])) if np.all(rows[0] == 1) else None
    return out


def _distributed(x: Any, rows: list[Any], operands: Sequence[Sampled], format: Format) -> Any:
    """A product of 1 - a and an array, which a kernel may compute as x - a x: a x is rounded."""
    for factor, other in ((operands[0], rows[1]), (operands[1], rows[0])):
        if factor.shrinks:
            size = format.u * factor.shrinks * np.abs(other[1:])
            x = x.copy()
            x[1:] += size * factor.world.normal(x.shape[1:])[1:]
    return x


def _accumulated(x: Any, rows: list[Any], operands: Sequence[Sampled], format: Format) -> Any:
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


def _opened(outcome: Any, left: Any, right: Any) -> Any:
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


def _in_any_order(ufunc: np.ufunc, rows: list[Any], x: Any) -> Any:
    """Where a result that happens to be exact is so in every order of evaluation.

    x + 0, 0 x, 2^k x, x / 2^k and small integers are; but b m + (1 - b) g may be evaluated as
    m + (1 - b) (g - m), which rounds where the other does not.
    """
    if ufunc not in (np.add, np.subtract, np.multiply, np.square, np.divide):
        return None
    values = np.broadcast_arrays(*(row[0] for row in (*rows, x)))
    whole = reduce(np.logical_and, [(np.abs(v) <= _SMALL) & (v == np.rint(v)) for v in values])
    if ufunc in (np.add, np.subtract):
        return whole | (values[0] == 0) | (values[1] == 0)
    simple = [np.isin(np.abs(np.frexp(v)[0]), (0.0, 0.5)) for v in values[:-1]]
    if ufunc is np.divide:
        return whole | simple[1] | (values[0] == 0)
    return whole | reduce(np.logical_or, simple)


def _long_tailed(squares: Any, x: Any) -> Any:
    """Squares of x with replicates farther apart where x is hardly more than rounding.

    The square of a normal error is not normal: where the normal law allows t sqrt(3) of its root
    mean square, it reaches t^2.
    """
    close = within_reach_of_zero(x)
    if not np.any(close):
        return squares
    longer = sampled.quantile(len(x) - 1) / np.sqrt(3)
    out = squares.copy()
    out[1:] = np.where(close, squares[1:] * longer, squares[1:])
    return out


def within_reach_of_zero(x: Any) -> Any:
    """Elements whose replicates' spread reaches zero with probability FALSE_ALARM."""
    spread = sampled.root_mean_square(x[1:] - x[0])
    return (spread > 0) & (np.abs(x[0]) <= sampled.quantile(len(x) - 1) * spread)


def _away_from_zero(ufunc: np.ufunc, rows: list[Any]) -> list[Any]:
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


def matmul(a: Sampled, b: Sampled) -> Sampled:
    """a @ b of vectors and matrices, as the declared order of summation lets it err."""
    world, arithmetic = a.world, a.world.arithmetic
    format, _ = meeting([a, b])
    left = a.x[:, None, :] if a.ndim == 1 else a.x
    right = b.x[:, :, None] if b.ndim == 1 else b.x
    if arithmetic.summation == "tensor_core":
        factor = format_named(arithmetic.input_format)
        left, right = world.rounded(left, factor), world.rounded(right, factor)
    inner = accumulator(arithmetic, format)
    k = left.shape[-1]
    parts, like_terms = [], np.zeros(1, dtype=bool)
    for part in _split(k, _PANEL):
        rows, columns = left[..., part], right[..., part, :]
        (a_rows, a_unit), (b_rows, b_unit) = _scaled(rows), _scaled(columns)
        size = a_unit * b_unit * np.sqrt((a_rows * a_rows) @ (b_rows * b_rows))
        total, count = rows @ columns, min(rows.shape[-1], _PANEL)
        alike = _alike(total, size, rows.shape[-1])
        like_terms = like_terms | alike
        parts.append(_astray(total, size, count, world, inner, alike))
    shape = (*left.shape[:-1], right.shape[-1])
    x = added(parts, world, arithmetic, inner) if parts else np.zeros(shape)
    x = world.rounded(x, format)
    world.watch("matmul", x, [left, right])
    most = min(k, _PANEL)
    chain = np.broadcast_to(np.where(like_terms, most, np.sqrt(most)) / np.sqrt(3), x.shape)
    if a.ndim == 1:
        x, chain = x[:, 0, ...], chain[:, 0, ...]
    if b.ndim == 1:
        x, chain = x[..., 0], chain[..., 0]
    return sampled.Sampled(x, world, format, chain=chain)


def _split(n: int, least: int) -> list[slice]:
    step = max(least, -(-n // _PARTS), 1)
    return [slice(start, start + step) for start in range(0, n, step)]


def _scaled(x: Any) -> tuple[Any, float]:
    """x over its largest finite magnitude, whose squares neither overflow nor all vanish."""
    unit = float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0)) or 1.0
    return x / unit, unit


def _alike(total: Any, terms: Any, n: int) -> Any:
    """Where n terms, of which terms is the root of the sum of squares, are nearly one number."""
    return (n > 1) & (np.abs(total) >= _ALIKE * np.sqrt(n) * terms)


def _astray(
    total: Any, terms: Any, count: int, world: Any, format: Format, alike: Any = False
) -> Any:
    """A sum whose so many roundings of partial sums erred: u / sqrt(3) times their sizes' norm.

    Of n terms of one size s, the partial sums' squares add up to n^2 s^2 / 2 where signs are mixed
    and to n^3 s^2 / 3 where they are not; terms is sqrt(n) s, and total the sum itself. Sums of
    like terms, as in a product of matrices of rank one, err alike: a second error is common to a
    row, a third to a column. Equal terms are rounded the same way at one addition after another,
    and their errors add up to count / 2 and not to its root.
    """
    unit = format.u / np.sqrt(3)
    size = np.hypot(np.sqrt(count / 2) * terms, np.sqrt(count / 3) * total)
    shape = total.shape[1:]
    lines = [tuple(n if i == j else 1 for j, n in enumerate(shape)) for i in range(len(shape))]
    common = sum((world.normal(line) for line in lines), start=np.zeros(1))
    common = common * np.where(alike, np.maximum(count / 2, 1.0), np.sqrt(count / 3))
    out = total.copy()
    out[1:] += unit * (world.normal(shape) * size + common * total)[1:]
    return out


def accumulator(arithmetic: Any, format: Format) -> Format:
    """The format in which sums run: float32 in a tensor core."""
    if arithmetic.summation == "float64":
        return format_named("float64")
    return format_named("float32") if arithmetic.summation == "tensor_core" else format


def added(parts: list[Any], world: Any, arithmetic: Any, format: Format) -> Any:
    """The sum of the parts, rounded at random after every addition: one by one or in pairs."""
    if arithmetic.summation == "pairwise":
        while len(parts) > 1:
            pairs = [
                world.rounded(x + y, format) for x, y in zip(parts[::2], parts[1::2], strict=False)
            ]
            parts = pairs + (parts[-1:] if len(parts) % 2 else [])
        return parts[0]
    total = parts[0]
    for part in parts[1:]:
        total = world.rounded(total + part, format)
    return total


def _axes(a: Sampled, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(1, a.ndim + 1))
    return tuple(int(i) % max(a.ndim, 1) + 1 for i in np.atleast_1d(axis))


def _sum(_: Sampled, a: Sampled, axis: Any = None, keepdims: bool = False) -> Sampled:
    world, arithmetic = a.world, a.world.arithmetic
    axes = _axes(a, axis)
    kept = [i for i in range(1, a.x.ndim) if i not in axes]
    terms = a.x.transpose(0, *kept, *axes).reshape(len(a.x), *(a.x.shape[i] for i in kept), -1)
    inner = accumulator(arithmetic, a.format)
    n = terms.shape[-1]
    parts = []
    for part in _split(n, 1):
        some, unit = _scaled(terms[..., part])
        size, count = unit * np.sqrt((some * some).sum(-1)), arithmetic.additions(some.shape[-1])
        parts.append(_astray(terms[..., part].sum(-1), size, count, world, inner))
    x = added(parts, world, arithmetic, inner) if parts else np.zeros(terms.shape[:-1])
    if n > 1:
        x = world.rounded(x, a.format)
        world.watch("sum", x, [terms])
    if keepdims:
        x = x.reshape(len(x), *(1 if i in axes else a.x.shape[i] for i in range(1, a.x.ndim)))
    return a.like(x, host=False)


def _mean(like: Sampled, a: Sampled, axis: Any = None, keepdims: bool = False) -> Sampled:
    n = int(np.prod([a.x.shape[i] for i in _axes(a, axis)]))
    return _sum(like, a, axis, keepdims) / n if n else like.like(a.x.mean(axis=_axes(a, axis)))


def _norm(
    like: Sampled, a: Sampled, ord: Any = None, axis: Any = None, keepdims: Any = False
) -> Any:
    if ord not in (None, 2, "fro") or (ord == 2 and a.ndim > 1 and axis is None):
        raise TypeError(f"numpy.linalg.norm with ord={ord!r} is not supported on Sampled arrays")
    return np.sqrt(_sum(like, a * a, axis, keepdims))


def _picked(function: Callable[..., Any]) -> Callable[..., Any]:
    def handler(_: Sampled, a: Sampled, axis: Any = None, keepdims: bool = False) -> Sampled:
        return a.like(function(a.x, axis=_axes(a, axis), keepdims=keepdims), host=False)

    return handler


def _where(like: Sampled, condition: Any, x: Any, y: Any) -> Sampled:
    operands = [like.lift(x), like.lift(y)]
    format, host = meeting(operands)
    if not host:
        operands = [entering(a, format) for a in operands]
    rows = aligned([like.lift(condition), *operands])
    return sampled.Sampled(np.where(*rows), like.world, format, host=host)


def _clip(like: Sampled, a: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(like.lift(a), like.lift(low)), like.lift(high))


def _joined(function: Callable[..., Any]) -> Callable[..., Any]:
    def handler(like: Sampled, arrays: Any, axis: int = 0) -> Sampled:
        parts = [like.lift(a) for a in arrays]
        at = axis + 1 if axis >= 0 else axis
        return sampled.Sampled(
            function([a.x for a in parts], axis=at), like.world, meeting(parts)[0]
        )

    return handler


def _moved(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that only moves elements, applied to every row."""

    def handler(_: Sampled, a: Sampled, *args: Any, **kwargs: Any) -> Sampled:
        return a.like(np.stack([function(row, *args, **kwargs) for row in a.x]))

    return handler


def _filled(value: float) -> Callable[..., Any]:
    return lambda _, a: sampled.Sampled.exact(np.full(a.shape, value), a.world)


def _outer(like: Sampled, a: Any, b: Any) -> Any:
    left, right = like.lift(a), like.lift(b)
    return left.reshape(-1, 1) * right.reshape(1, -1)


def _trace(like: Sampled, a: Sampled) -> Sampled:
    return _sum(like, a.like(np.diagonal(a.x, axis1=1, axis2=2)))


def _sorted_by(_: Sampled, a: Sampled, indices: Any, axis: int = -1) -> Sampled:
    """take_along_axis with indices that each row has of its own."""
    rows = indices.x.astype(np.int64) if isinstance(indices, sampled.Sampled) else indices
    return a.like(np.take_along_axis(a.x, rows, axis=axis + 1 if axis >= 0 else axis))


def _argsort(_: Sampled, a: Sampled, axis: int = -1) -> Sampled:
    order = np.argsort(a.x, axis=axis + 1 if axis >= 0 else axis, kind="stable")
    return a.like(order.astype(np.float64))


def _truth(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _, a, axis=None: a.like(function(a.x, axis=_axes(a, axis)))


COMPARISONS = (
    np.equal,
    np.greater,
    np.greater_equal,
    np.less,
    np.less_equal,
    np.not_equal,
)

EXACT = (
    *COMPARISONS,
    np.absolute,
    np.bitwise_and,
    np.bitwise_or,
    np.invert,
    np.isfinite,
    np.isnan,
    np.logical_and,
    np.logical_not,
    np.logical_or,
    np.maximum,
    np.minimum,
    np.negative,
    np.positive,
    np.sign,
)

ULPS: dict[np.ufunc, Callable[[Any], float]] = {
    np.add: lambda _: 0.5,
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

FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.all: _truth(np.all),
    np.any: _truth(np.any),
    np.argsort: _argsort,
    np.broadcast_to: _moved(np.broadcast_to),
    np.clip: _clip,
    np.concatenate: _joined(np.concatenate),
    np.copy: _moved(np.copy),
    np.diag: _moved(np.diag),
    np.diagonal: _moved(np.diagonal),
    np.dot: lambda _, a, b: a @ b,
    np.expand_dims: _moved(np.expand_dims),
    np.linalg.cholesky: sampled_decompositions.cholesky,
    np.linalg.eigh: sampled_decompositions.eigh,
    np.linalg.inv: sampled_decompositions.inv,
    np.linalg.norm: _norm,
    np.linalg.qr: sampled_decompositions.qr,
    np.linalg.solve: sampled_decompositions.solve,
    np.linalg.svd: sampled_decompositions.svd,
    np.max: _picked(np.max),
    np.mean: _mean,
    np.min: _picked(np.min),
    np.moveaxis: _moved(np.moveaxis),
    np.ones_like: _filled(1.0),
    np.outer: _outer,
    np.ravel: _moved(np.ravel),
    np.repeat: _moved(np.repeat),
    np.reshape: _moved(np.reshape),
    np.roll: _moved(np.roll),
    np.squeeze: _moved(np.squeeze),
    np.stack: _joined(np.stack),
    np.sum: _sum,
    np.swapaxes: _moved(np.swapaxes),
    np.take_along_axis: _sorted_by,
    np.trace: _trace,
    np.transpose: _moved(np.transpose),
    np.tril: _moved(np.tril),
    np.triu: _moved(np.triu),
    np.vdot: lambda like, a, b: _sum(like, like.lift(a).reshape(-1) * like.lift(b).reshape(-1)),
    np.where: _where,
    np.zeros_like: _filled(0.0),
}
