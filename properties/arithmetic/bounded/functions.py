"""Reductions, products and structure of Bounded arrays: one handler per NumPy function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from truestep.properties.arithmetic.bounded import bounded
from truestep.properties.arithmetic.bounded import operations as bounded_operations
from truestep.properties.arithmetic.decision import Decision
from truestep.properties.arithmetic.formats import format_named

if TYPE_CHECKING:
    from truestep.properties.arithmetic.bounded.bounded import Bounded


def structural(a: Bounded, move: Callable[[Any], Any]) -> Bounded:
    """a with its elements moved, copied or left out; nothing is computed."""
    return bounded.Bounded(
        np.asarray(move(a.v)),
        np.asarray(move(a.e)),
        a.arithmetic,
        a.format,
        mass=np.asarray(move(a.mass)),
        reach=np.asarray(move(a.reach)),
        links=a.links,
        nonnegative=a.nonnegative,
        host=a.host,
        given=a.given,
    )


def _moved(function: Callable[..., Any]) -> Callable[..., Any]:
    def handler(_: Bounded, a: Bounded, *args: Any, **kwargs: Any) -> Bounded:
        return structural(a, lambda x: function(x, *args, **kwargs))

    return handler


def _filled(value: float) -> Callable[..., Any]:
    def handler(_: Bounded, a: Bounded) -> Bounded:
        return bounded.Bounded.exact(np.full(a.shape, value), a.arithmetic)

    return handler


def _joined(function: Callable[..., Any]) -> Callable[..., Any]:
    def handler(like: Bounded, arrays: Any, axis: int = 0) -> Bounded:
        parts = [like._lift(a) for a in arrays]
        return bounded.Bounded(
            function([a.v for a in parts], axis=axis),
            function([a.e for a in parts], axis=axis),
            like.arithmetic,
            like.format,
            mass=function([a.mass for a in parts], axis=axis),
            reach=function([a.reach for a in parts], axis=axis),
            links=max(a.links for a in parts),
            nonnegative=all(a.nonnegative for a in parts),
        )

    return handler


def _full(x: Any, shape: tuple[int, ...]) -> Any:
    return x if np.shape(x) == shape else np.broadcast_to(x, shape)


def total(_: Bounded, a: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    """Sum over axes: every term meets the roundings that the declared order gives it."""
    v = np.sum(a.v, axis=axis, keepdims=keepdims)
    n = a.size // max(1, v.size)
    e = np.sum(_full(a.e, a.shape), axis=axis, keepdims=keepdims)
    mass = np.sum(_full(a.mass, a.shape), axis=axis, keepdims=keepdims)
    e = e + a.arithmetic.additions(n) * a.format.u * (mass + e)
    if a.arithmetic.summation == "float64":
        e = e + n * format_named("float64").u * (mass + e)
    poisoned = np.any(bounded_operations.certainly_nan(a), axis=axis, keepdims=keepdims)
    return bounded_operations.finish(
        a,
        np.asarray(v),
        np.asarray(e),
        mass=np.asarray(mass),
        nonnegative=a.nonnegative,
        host=a.host,
        definite=lambda: poisoned | (np.isinf(v) & np.isfinite(e)),
    )


def mean(like: Bounded, a: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    """Sum over axes divided by the number of terms."""
    s = total(like, a, axis, keepdims)
    return bounded_operations.divide(s, like._lift(a.size // max(1, s.size)))


def _extremum(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def handler(_: Bounded, a: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
        v = reduce(a.v, axis=axis, keepdims=keepdims)
        low = reduce(a.v - a.e, axis=axis, keepdims=keepdims)
        high = reduce(a.v + a.e, axis=axis, keepdims=keepdims)
        poisoned = np.any(bounded_operations.certainly_nan(a), axis=axis, keepdims=keepdims)
        e = np.where(np.isinf(v) & (low == high), 0.0, np.maximum(high - v, v - low))
        return bounded_operations.finish(
            a,
            np.asarray(v),
            np.asarray(e),
            nonnegative=a.nonnegative,
            host=a.host,
            definite=lambda: poisoned | (np.isinf(v) & (low == high)),
        )

    return handler


def norm(like: Bounded, a: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    """Euclidean (Frobenius) norm: the root of the sum of squares."""
    squares = total(like, bounded_operations.multiply(a, a), axis, keepdims)
    return bounded_operations.sqrt(squares)


def where(like: Bounded, condition: Any, a: Any, b: Any) -> Bounded:
    """Selection; where the condition is open, any value between the two outcomes is legal."""
    a, b = bounded_operations.meet(like._lift(a), like._lift(b))
    if not isinstance(condition, Decision):
        chosen = np.asarray(condition, dtype=bool)
        condition = Decision(chosen, np.zeros_like(chosen))
    yes = condition.yes
    v = np.where(yes, a.v, b.v)
    e = np.where(yes, a.e, b.e)
    mass = np.where(yes, a.mass, b.mass)
    reach = np.where(yes, a.reach, b.reach)
    if np.any(condition.open):
        hull = np.maximum(np.abs(a.v - v) + a.e, np.abs(b.v - v) + b.e)
        alike = (a.v == b.v) & (a.e == 0) & (b.e == 0)
        hull = np.where(alike, 0.0, np.where(np.isnan(hull), np.inf, hull))
        e = np.where(condition.open, hull, e)
        mass = np.where(condition.open, np.maximum(a.mass, b.mass), mass)
        reach = np.where(condition.open, np.maximum(a.reach, b.reach), reach)
    return bounded.Bounded(
        v,
        e,
        a.arithmetic,
        a.format,
        mass=mass,
        reach=reach,
        links=max(a.links, b.links),
        nonnegative=a.nonnegative and b.nonnegative,
        host=a.host and b.host and not np.ndim(v),
    )


def clip(like: Bounded, a: Bounded, low: Any = None, high: Any = None) -> Bounded:
    """a limited to [low, high]."""
    out: Any = a
    if low is not None:
        out = bounded_operations.OPERATIONS[np.maximum](out, like._lift(low))
    if high is not None:
        out = bounded_operations.OPERATIONS[np.minimum](out, like._lift(high))
    return out  # type: ignore[no-any-return]


def matmul(a: Bounded, b: Bounded) -> Bounded:
    """Matrix product: k products and their sum per element, in the declared order."""
    a, b = bounded_operations.meet(a, b)
    size_a, size_b = np.abs(a.v), np.abs(b.v)
    error_a, error_b = _full(a.e, a.shape), _full(b.e, b.shape)
    if a.arithmetic.summation == "tensor_core":
        narrow = format_named(a.arithmetic.input_format)
        error_a = error_a + narrow.u * (size_a + error_a) + narrow.eta
        error_b = error_b + narrow.u * (size_b + error_b) + narrow.eta
    v = a.v @ b.v
    k = a.shape[-1]
    mass = (size_a + error_a) @ (size_b + error_b)
    e = size_a @ error_b + error_a @ size_b + error_a @ error_b
    e = e + (1 + a.arithmetic.additions(k)) * a.format.u * mass
    if a.arithmetic.summation == "float64":
        e = e + k * format_named("float64").u * mass
    e = e + k * a.arithmetic.eta(a.format) * (mass > 0)
    return bounded_operations.finish(
        a,
        v,
        e,
        mass=mass,
        nonnegative=a.nonnegative and b.nonnegative,
        host=False,
        definite=lambda: np.isnan(v) & np.isfinite(e),
    )


FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.amax: _extremum(np.max),
    np.amin: _extremum(np.min),
    np.broadcast_to: _moved(np.broadcast_to),
    np.clip: clip,
    np.concatenate: _joined(np.concatenate),
    np.copy: _moved(np.copy),
    np.expand_dims: _moved(np.expand_dims),
    np.linalg.norm: norm,
    np.max: _extremum(np.max),
    np.mean: mean,
    np.min: _extremum(np.min),
    np.moveaxis: _moved(np.moveaxis),
    np.ones_like: _filled(1.0),
    np.ravel: _moved(np.ravel),
    np.reshape: _moved(np.reshape),
    np.squeeze: _moved(np.squeeze),
    np.stack: _joined(np.stack),
    np.sum: total,
    np.swapaxes: _moved(np.swapaxes),
    np.transpose: _moved(np.transpose),
    np.where: where,
    np.zeros_like: _filled(0.0),
}
