"""Reductions, products and structure of Bounded arrays: one handler per NumPy function."""

from collections.abc import Callable, Sequence

import numpy as np

from truestep.properties.arithmetic.bounded.certainty import (
    Mask,
    certainly_infinite,
    certainly_nan,
    finish,
    meet,
)
from truestep.properties.arithmetic.bounded.elementary import maximum, minimum
from truestep.properties.arithmetic.bounded.estimate import Carried, Float
from truestep.properties.arithmetic.bounded.operations import divide, multiply, sqrt
from truestep.properties.arithmetic.decision import Decision
from truestep.properties.arithmetic.formats import FORMATS, format_named
from truestep.properties.arithmetic.numpy_table import MOVES
from truestep.reference.validation import Array

Axis = int | tuple[int, ...] | None

Handler = Callable[..., Array]


def structural(a: Carried, move: Callable[[Float], Float]) -> Carried:
    """a with its elements moved, copied or left out; nothing is computed."""
    v, e, mass, reach = (np.asarray(move(x)) for x in (a.v, a.e, a.mass, a.reach))
    facts: dict[str, Array] = {
        "links": a.links,
        "nonnegative": a.nonnegative,
        "host": a.host,
        "given": a.given,
        "sheer": a.sheer,
    }
    if a.hazy is not None:
        facts["hazy"] = np.asarray(move(a.hazy))
    return a.like(v, e, mass=mass, reach=reach, **facts)


def _moved(function: Handler) -> Handler:
    def handler(_: Carried, a: Carried, *args: Array, **kwargs: Array) -> Carried:
        return structural(a, lambda x: function(x, *args, **kwargs))

    return handler


def _filled(value: float) -> Handler:
    def handler(_: Carried, a: Carried) -> Carried:
        return a.exact(np.full(a.shape, value), a.arithmetic)

    return handler


def _joined(function: Handler) -> Handler:
    def handler(like: Carried, arrays: Sequence[Array], axis: int = 0) -> Carried:
        parts = [like.lift(a) for a in arrays]
        v, e, mass, reach = (
            function([getattr(a, of) for a in parts], axis=axis)
            for of in ("v", "e", "mass", "reach")
        )
        facts: dict[str, Array] = {"links": max(a.links for a in parts)}
        facts["nonnegative"] = all(a.nonnegative for a in parts)
        if any(a.hazy is not None for a in parts):
            bounds = [np.full(a.shape, np.inf) if a.hazy is None else a.hazy for a in parts]
            facts["hazy"] = function(bounds, axis=axis)
        return like.like(v, e, mass=mass, reach=reach, **facts)

    return handler


def _full(x: Array, shape: tuple[int, ...]) -> Array:
    return x if np.shape(x) == shape else np.broadcast_to(x, shape)


def total(_: Carried, a: Carried, axis: Axis = None, keepdims: bool = False) -> Carried:
    """Sum over axes: every term meets the roundings that the declared order gives it."""
    v, e, mass = (
        np.asarray(_full(x, a.shape).sum(axis=axis, keepdims=keepdims)) for x in (a.v, a.e, a.mass)
    )
    n = a.size // max(1, v.size)
    e = e + a.arithmetic.additions(n) * a.format.u * (mass + e)
    if a.arithmetic.summation == "float64":
        e = e + n * FORMATS["float64"].u * (mass + e)

    def definite() -> Mask:
        poisoned = np.any(certainly_nan(a), axis=axis, keepdims=keepdims)
        infinite = certainly_infinite(a)
        sure = np.broadcast_to(np.isfinite(a.v + a.e) | infinite, a.shape)
        every = np.all(sure, axis=axis, keepdims=keepdims)
        return poisoned | (np.isinf(v) & every & np.any(infinite, axis=axis, keepdims=keepdims))

    host, e = a.host, np.asarray(e)
    out = finish(a, v, e, mass=mass, nonnegative=a.nonnegative, host=host, definite=definite)
    out.sheer = a.nonnegative and (a.given or a.sheer)
    return out


def mean(like: Carried, a: Carried, axis: Axis = None, keepdims: bool = False) -> Carried:
    """Sum over axes divided by the number of terms."""
    s = total(like, a, axis, keepdims)
    return divide(s, like.lift(a.size // max(1, s.size)))


def _extremum(reduce: Handler) -> Handler:
    def handler(_: Carried, a: Carried, axis: Axis = None, keepdims: bool = False) -> Carried:
        v, low, high = (
            np.asarray(reduce(x, axis=axis, keepdims=keepdims)) for x in (a.v, a.v - a.e, a.v + a.e)
        )
        same = np.isinf(v) & (low == high)
        e = np.where(same, 0.0, np.maximum(high - v, v - low))

        def definite() -> Mask:
            return same | np.any(certainly_nan(a), axis=axis, keepdims=keepdims)

        out = finish(a, v, e, nonnegative=a.nonnegative, host=a.host, definite=definite)
        if a.beyond is not False and reduce is np.max:
            out.beyond = np.any(a.beyond, axis=axis, keepdims=keepdims)
        out.sheer = a.given or a.sheer
        return out

    return handler


def sort(_: Carried, a: Carried, axis: int = -1) -> Carried:
    """The k-th smallest lies between those of the lower ends and of the upper: nothing rounds."""
    unknown = np.isinf(a.e)
    ends = np.where(unknown, -np.inf, a.v - a.e), np.where(unknown, np.inf, a.v + a.e)
    v, low, high = (np.sort(x, axis=axis) for x in (a.v, *ends))
    # Of infinities and of nans, which come last.
    same = ~np.isfinite(v) & ((low == high) | (np.isnan(low) & np.isnan(high)))
    e = np.where(same, 0.0, np.maximum(high - v, v - low))
    return finish(a, v, e, nonnegative=a.nonnegative, host=a.host, definite=lambda: same)


def norm(like: Carried, a: Carried, axis: Axis = None, keepdims: bool = False) -> Carried:
    """Euclidean (Frobenius) norm: the root of the sum of squares."""
    squares = total(like, multiply(a, a), axis, keepdims)
    return sqrt(squares)


def where(like: Carried, condition: Decision | Mask, x: Array, y: Array) -> Carried:
    """Selection; where the condition is open, any value between the two outcomes is legal."""
    a, b = meet(like.lift(x), like.lift(y))
    if not isinstance(condition, Decision):
        chosen = np.asarray(condition, dtype=bool)
        condition = Decision(chosen, np.zeros_like(chosen))
    yes = condition.yes
    pairs = (a.v, b.v), (a.e, b.e), (a.mass, b.mass), (a.reach, b.reach)
    v, e, mass, reach = (np.where(yes, *pair) for pair in pairs)
    if np.any(condition.open):
        hull = np.maximum(np.abs(a.v - v) + a.e, np.abs(b.v - v) + b.e)
        alike = (a.v == b.v) & (a.e == 0) & (b.e == 0)
        hull = np.where(alike, 0.0, np.where(np.isnan(hull), np.inf, hull))
        e = np.where(condition.open, hull, e)
        mass = np.where(condition.open, np.maximum(a.mass, b.mass), mass)
        reach = np.where(condition.open, np.maximum(a.reach, b.reach), reach)
    facts: dict[str, Array] = {
        "links": max(a.links, b.links),
        "nonnegative": a.nonnegative and b.nonnegative,
        "sheer": all(x.given or x.sheer or x.host for x in (a, b)),
    }
    host = a.host and b.host and not np.ndim(v)
    return a.like(v, e, mass=mass, reach=reach, host=host, **facts)


def clip(like: Carried, a: Carried, low: Array | None = None, high: Array | None = None) -> Carried:
    """a limited to [low, high]."""
    if low is not None:
        a = maximum(a, like.lift(low))
    return a if high is None else minimum(a, like.lift(high))


def matmul(a: Carried, b: Carried) -> Carried:
    """Matrix product: k products and their sum per element, in the declared order."""
    a, b = meet(a, b)
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
        e = e + k * FORMATS["float64"].u * mass
    e = e + k * a.arithmetic.eta(a.format) * (mass > 0)
    return finish(
        a,
        v,
        e,
        mass=mass,
        nonnegative=a.nonnegative and b.nonnegative,
        host=False,
        definite=lambda: np.isnan(v) & np.isfinite(e),
    )


FUNCTIONS: dict[Handler, Handler] = {
    **{move: _moved(move) for move in MOVES},
    np.amax: _extremum(np.max),
    np.amin: _extremum(np.min),
    np.clip: clip,
    np.concatenate: _joined(np.concatenate),
    np.linalg.norm: norm,
    np.max: _extremum(np.max),
    np.mean: mean,
    np.min: _extremum(np.min),
    np.ones_like: _filled(1.0),
    np.sort: sort,
    np.stack: _joined(np.stack),
    np.sum: total,
    np.where: where,
    np.zeros_like: _filled(0.0),
}
