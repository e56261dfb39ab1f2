"""Error propagation of elementary functions, signs, extrema and comparisons of Bounded arrays."""

from collections.abc import Callable

import numpy as np
from scipy.special import erfinv as _erfinv

from truestep.properties.arithmetic.bounded.certainty import (
    certainly_infinite,
    certainly_nan,
    finish,
    meet,
    perhaps_nan,
    underflow,
)
from truestep.properties.arithmetic.bounded.estimate import Carried, Float
from truestep.properties.arithmetic.decision import Decision
from truestep.reference.validation import Array


def negative(a: Carried) -> Carried:
    """-a, exact."""
    return _exact(a, -a.v, nonnegative=False)


def positive(a: Carried) -> Carried:
    """+a, which is a."""
    return a


def absolute(a: Carried) -> Carried:
    """|a|, exact."""
    return _exact(a, np.abs(a.v), nonnegative=True)


def _exact(a: Carried, v: Float, *, nonnegative: bool) -> Carried:
    chain: dict[str, Array] = {"mass": a.mass, "reach": a.reach, "links": a.links}
    chain |= {"beyond": a.beyond, "divisor": a.divisor, "fraction": a.fraction, "depth": a.depth}
    return a.like(v, a.e, nonnegative=nonnegative, host=a.host, given=a.given, **chain)


def _smooth(
    function: Callable[[Float], Float],
    spread: Callable[[Float, Float, Float], Float],
    *,
    nonnegative: bool = False,
) -> Callable[[Carried], Carried]:
    """An elementary function whose propagated error is spread(v, a, e)."""

    def operation(a: Carried) -> Carried:
        v = function(a.v)
        e = spread(v, a.v, a.e)
        u = 2 * a.arithmetic.ulps_function * a.format.u
        e = np.where((a.e == 0) & ((v == 0) | (v == 1)), e, e + u * (np.abs(v) + e))
        lost = underflow(a, a.arithmetic.ulps_function)
        e = np.where((e == 0) & (a.e == 0), 0.0, e + lost)
        return finish(
            a, v, e, nonnegative=nonnegative, host=a.host, definite=lambda: certainly_nan(a)
        )

    return operation


def _log_spread(v: Float, a: Float, e: Float) -> Float:
    low = a - e
    return np.where(low > 0, np.log1p(e / np.where(low > 0, low, 1.0)), np.inf)


def _erfinv_spread(v: Float, a: Float, e: Float) -> Float:
    # Its slope sqrt(pi)/2 exp(erfinv(x)^2) grows with |x|.
    far = np.abs(a) + e
    end = _erfinv(np.minimum(far, 1.0))
    return np.where(e == 0, 0.0, np.where(far < 1, e * np.exp(end * end), np.inf))


def _bounded_slope(v: Float, a: Float, e: Float) -> Float:
    """Of functions from -1 to 1 with slopes of at most 1."""
    return np.minimum(e, 2.0)


def _arctan_spread(v: Float, a: Float, e: Float) -> Float:
    # arctan(x) - arctan(y) is arctan((x - y) / (1 + x y)): flat far from zero, nowhere above 1.
    far = np.abs(a)
    apart = np.isfinite(e) & (e <= far)
    near = np.where(apart, far - np.where(apart, e, 0.0), 0.0)
    known = np.where(np.isfinite(e), np.minimum(e, np.pi), np.inf)
    return np.where(apart, np.arctan(e / (1 + far * near)), known)


arctan = _smooth(np.arctan, _arctan_spread)
erfinv = _smooth(_erfinv, _erfinv_spread)
exp = _smooth(np.exp, lambda v, a, e: v * np.expm1(e), nonnegative=True)
log = _smooth(np.log, _log_spread)
cos = _smooth(np.cos, _bounded_slope)
sin = _smooth(np.sin, _bounded_slope)
tanh = _smooth(np.tanh, _bounded_slope)


def _extremum(choose: np.ufunc) -> Callable[[Carried, Carried], Carried]:
    """Maximum or minimum, by the ends of the intervals: choosing does not round."""

    def operation(a: Carried, b: Carried) -> Carried:
        a, b = meet(a, b)
        v = choose(a.v, b.v)
        low, high = choose(a.v - a.e, b.v - b.e), choose(a.v + a.e, b.v + b.e)
        e = np.maximum(high - v, v - low)
        same = np.isinf(v) & (certainly_infinite(a) | certainly_infinite(b))
        doubtful = perhaps_nan(a) | perhaps_nan(b)
        if doubtful is not False:
            e = np.where(np.isfinite(v) & doubtful, np.inf, e)
        either = choose is np.maximum and (a.nonnegative or b.nonnegative)
        result = finish(
            a,
            v,
            np.where(same, 0.0, e),
            nonnegative=either or (a.nonnegative and b.nonnegative),
            host=a.host and b.host,
            definite=lambda: same | certainly_nan(a, b),
        )
        result.given = not np.any(doubtful)
        return result

    return operation


maximum, minimum = _extremum(np.maximum), _extremum(np.minimum)


def sign(a: Carried) -> Carried:
    """sign(a): exact where certain, else anywhere between the signs that a may have."""
    v = np.sign(a.v)
    low, high = np.sign(a.v - a.e), np.sign(a.v + a.e)
    e = np.where(certainly_infinite(a), 0.0, np.maximum(high - v, v - low))
    if (doubtful := perhaps_nan(a)) is not False:
        e = np.where(doubtful, np.inf, e)
    return finish(a, v, e, host=a.host, definite=lambda: certainly_nan(a))


def comparison(compare: np.ufunc) -> Callable[[Carried, Carried], Decision]:
    """A three-valued comparison: open where the intervals overlap; nan compares as NumPy's does."""

    def operation(a: Carried, b: Carried) -> Decision:
        a, b = meet(a, b)
        yes = np.asarray(compare(a.v, b.v))
        ends = compare(a.v - a.e, b.v + b.e), compare(a.v + a.e, b.v - b.e)
        open_ = (ends[0] != yes) | (ends[1] != yes) | np.isinf(a.e) | np.isinf(b.e)
        if compare in (np.equal, np.not_equal):
            touching = np.abs(a.v - b.v) <= a.e + b.e
            open_ = open_ | (touching & ((a.e > 0) | (b.e > 0)))
        return Decision(yes, np.asarray(open_ & ~np.asarray(certainly_nan(a, b))))

    return operation


def classification(test: np.ufunc) -> Callable[[Carried], Decision]:
    """isfinite, isinf or isnan: open where nothing is known, but that it leaves the range."""

    def operation(a: Carried) -> Decision:
        if test is np.isfinite:
            return Decision(np.isfinite(a.v) & ~np.asarray(a.beyond), np.isinf(a.e) & ~a.beyond)
        return Decision(np.asarray(test(a.v)), np.isinf(a.e) | perhaps_nan(a))

    return operation
