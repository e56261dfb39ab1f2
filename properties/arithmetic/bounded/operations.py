"""Error propagation of the element operations on Bounded arrays: one function per NumPy ufunc."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import erfinv as _erfinv

from truestep.properties.arithmetic.bounded import bounded
from truestep.properties.arithmetic.decision import Decision
from truestep.properties.arithmetic.formats import Format

if TYPE_CHECKING:
    from truestep.properties.arithmetic.bounded.bounded import Bounded, Float


def meet(a: Bounded, b: Bounded) -> tuple[Bounded, Bounded]:
    """Both operands in the operation's format: the array's, or of two scalars the coarser."""
    if a.format is b.format and a.host == b.host:
        return a, b
    if a.host != b.host:
        return (rounded(a, b.format), b) if a.host else (a, rounded(b, a.format))
    target = a.format if a.format.u >= b.format.u else b.format
    return rounded(a, target), rounded(b, target)


def rounded(a: Bounded, target: Format) -> Bounded:
    """Scalar a in the target format: one rounding unless it is representable for certain."""
    kept = {"nonnegative": a.nonnegative, "reach": a.reach, "shrinks": a.shrinks}
    if target.u <= a.format.u:
        return _with(a, a.v, a.e, format=target, **kept)
    exactly = (a.e == 0) & target.represents(a.v)
    e = np.where(exactly, 0.0, a.e + target.u * (np.abs(a.v) + a.e) + target.eta)
    e = np.where(np.isfinite(a.v) & ~(np.abs(a.v) + e <= target.largest), np.inf, e)
    return _with(a, a.v, e, format=target, **kept)


def _with(a: Bounded, v: Float, e: Float, **changes: Any) -> Bounded:
    return bounded.Bounded(
        v, e, a.arithmetic, changes.pop("format", a.format), host=a.host, **changes
    )


def finish(
    like: Bounded,
    v: Float,
    e: Float,
    *,
    mass: Float | None = None,
    reach: Float | None = None,
    links: int = 0,
    nonnegative: bool = False,
    host: bool,
    definite: Callable[[], Any],
) -> Bounded:
    """The result with its range checked: e = inf where a kernel may overflow or nothing is known.

    definite(): where a non-finite v is what every faithful kernel gives; asked only out of range.
    """
    size = np.abs(v) if mass is None else mass
    top = size + e if reach is None else np.maximum(size + e, reach)
    if not np.max(top, initial=0.0) <= like.format.largest:
        fits = top <= like.format.largest
        e = np.where(fits, e, np.inf)
        e = np.where(~np.isfinite(v) & definite(), 0.0, e)
    return bounded.Bounded(
        v,
        e,
        like.arithmetic,
        like.format,
        mass=mass,
        reach=reach,
        links=links,
        nonnegative=nonnegative,
        host=host,
    )


def certainly_nan(*operands: Bounded) -> Any:
    """Where an operand is nan for certain, so that the result is."""
    out: Any = False
    for a in operands:
        out = out | (np.isnan(a.v) & (a.e == 0))
    return out


def _certainly_infinite(a: Bounded) -> Any:
    return np.isinf(a.v) & (a.e == 0)


def _zero(a: Bounded) -> Any:
    """Where a is zero for certain; plain False, which is cheap, if nowhere."""
    return False if np.all(a.v) else (a.v == 0) & (a.e == 0)


def _power_of_two(a: Bounded) -> bool:
    """Whether a is a scalar +-2^k for certain: scaling by it does not round."""
    if np.ndim(a.v) or a.e != 0:
        return False
    return bool(np.abs(np.frexp(a.v)[0]) == 0.5)


def _underflow(a: Bounded, ulps: float) -> float:
    """What an operation accurate to so many ulps may lose at the bottom of a's format."""
    return a.arithmetic.eta(a.format) + (2 * ulps - 1) * a.format.eta


def add(a: Bounded, b: Bounded, sign: int = 1) -> Bounded:
    """a + b, or a - b: one rounding of at most u times the mass of the chain; x + 0 is exact.

    A sum of subnormal size is exact, unless it is flushed.
    """
    a, b = meet(a, b)
    v = a.v + b.v if sign > 0 else a.v - b.v
    e = a.e + b.e
    mass = a.mass + b.mass
    unrounded = _zero(a) | _zero(b)
    if a.host and np.ndim(v) == 0:
        whole = (e == 0) & (v == np.rint(v)) & (mass <= 1 / a.format.u) & (a.v == np.rint(a.v))
        unrounded = unrounded | whole
    rounded_e = e + a.format.u * (mass + e)
    if a.arithmetic.subnormals == "flushed":
        rounded_e = rounded_e + a.arithmetic.eta(a.format)
    e = rounded_e if unrounded is False else np.where(unrounded, e, rounded_e)

    def definite() -> Any:
        one = _certainly_infinite(a) & np.isfinite(b.v + b.e)
        other = _certainly_infinite(b) & np.isfinite(a.v + a.e)
        both = _certainly_infinite(a) & _certainly_infinite(b) & np.isinf(v)
        return one | other | both | certainly_nan(a, b)

    nonnegative = sign > 0 and a.nonnegative and b.nonnegative
    return finish(
        a,
        v,
        e,
        mass=mass,
        nonnegative=nonnegative,
        host=a.host and b.host,
        definite=definite,
    )


def subtract(a: Bounded, b: Bounded) -> Bounded:
    """a - b, as the sum of a and -b."""
    out = add(a, b, -1)
    if out.host and b.shrinks is not None and a.v == 1:
        out.shrinks = abs(float(b.v))
    return out


def multiply(a: Bounded, b: Bounded) -> Bounded:
    """a b: one rounding and one possible underflow; 0 x is exact, 2^k x cannot round."""
    square = a is b
    a, b = meet(a, b)
    v = a.v * b.v
    e = np.abs(a.v) * b.e + np.abs(b.v) * a.e + a.e * b.e
    reach = a.reach * b.reach
    links = a.links + b.links + 1
    u = 0.0 if _power_of_two(a) or _power_of_two(b) else a.format.u
    mass = None
    share = a.shrinks or b.shrinks
    if share and not (a.host and b.host):
        factor, x = (a, b) if a.shrinks else (b, a)
        size = np.abs(x.v) + x.e
        # As x - a x, whose product and constant are rounded, and to which other terms may be added.
        e = np.maximum(e, np.abs(factor.v) * x.e + 2 * a.format.u * share * size)
        mass, u = (1 + share) * size, a.format.u
    e = e + u * (np.abs(v) + e)
    if not _never_shrinks(a) and not _never_shrinks(b):
        e = e + links * a.arithmetic.eta(a.format) * reach
    # 1 - a = 0 makes x - a x zero, but not what it is part of in another order.
    zero_a = False if a.shrinks else _zero(a)
    zero_b = False if b.shrinks else _zero(b)
    if zero_a is not False or zero_b is not False:
        # 0 x is 0 unless the kernel's x may be an infinity or a nan.
        zero = (zero_a & np.isfinite(b.v + b.e)) | (zero_b & np.isfinite(a.v + a.e))
        e = np.where(zero & (v == 0), 0.0, e)

    def definite() -> Any:
        one = _certainly_infinite(a) & (np.abs(b.v) > b.e)
        other = _certainly_infinite(b) & (np.abs(a.v) > a.e)
        return one | other | certainly_nan(a, b)

    host = a.host and b.host
    out = finish(
        a,
        v,
        e,
        mass=mass,
        reach=reach,
        links=links,
        nonnegative=square or (a.nonnegative and b.nonnegative),
        host=host,
        definite=definite,
    )
    out.shrinks = 0.0 if host else None
    return out


def _never_shrinks(a: Bounded) -> bool:
    """Whether a is a scalar of size >= 1 for certain: multiplying by it cannot underflow."""
    return np.ndim(a.v) == 0 and bool(_power_of_two(a) and np.abs(a.v) >= 1)


def divide(a: Bounded, b: Bounded) -> Bounded:
    """a / b: nothing is known where b may be zero, except that 0/0 is nan and 0/b is 0."""
    a, b = meet(a, b)
    v = a.v / b.v
    low = np.abs(b.v) - b.e
    clear = low > 0
    e = np.where(clear, (a.e + np.abs(v) * b.e) / np.where(clear, low, 1.0), np.inf)
    one_over = np.where(clear, 1.0 / np.where(clear, low, 1.0), np.inf)
    reach = a.reach * np.maximum(one_over, 1.0)
    links = a.links + b.links + 1
    u = 0.0 if _power_of_two(b) else 2 * a.arithmetic.ulps_division * a.format.u
    e = e + u * (np.abs(v) + e)
    if not (_power_of_two(b) and np.abs(b.v) <= 1):
        e = e + links * _underflow(a, a.arithmetic.ulps_division) * reach
    if (nothing := _zero(a)) is not False:
        e = np.where(nothing & clear, 0.0, e)
    if not np.max(np.abs(b.v), initial=0.0) < np.inf:
        # Another order may overflow on the way: a finite numerator over inf may become inf / inf.
        e = np.where(np.isinf(b.v), np.inf, e)

    def definite() -> Any:
        by_zero = _zero(b) & (_zero(a) | (np.abs(a.v) > a.e))
        infinite = _certainly_infinite(a) & clear & np.isfinite(b.v)
        return by_zero | infinite | certainly_nan(a, b)

    return finish(
        a,
        v,
        e,
        reach=reach,
        links=links,
        nonnegative=a.nonnegative and b.nonnegative,
        host=a.host and b.host,
        definite=definite,
    )


def negative(a: Bounded) -> Bounded:
    """-a, exact."""
    return _with(a, -a.v, a.e, mass=a.mass, reach=a.reach, links=a.links, given=a.given)


def positive(a: Bounded) -> Bounded:
    """+a, which is a."""
    return a


def absolute(a: Bounded) -> Bounded:
    """|a|, exact."""
    chain = {"mass": a.mass, "reach": a.reach, "links": a.links, "given": a.given}
    return _with(a, np.abs(a.v), a.e, nonnegative=True, **chain)


def square(a: Bounded) -> Bounded:
    """a a."""
    return multiply(a, a)


def sqrt(a: Bounded) -> Bounded:
    """Square root, by the ends of the interval; a negative end is a nan unless a is nonnegative."""
    v = np.sqrt(a.v)
    low = np.sqrt(np.maximum(a.v - a.e, 0.0))
    e = np.maximum(np.sqrt(a.v + a.e) - v, v - low)
    if not a.nonnegative:
        e = np.where(a.v - a.e < 0, np.inf, e)
    u = 2 * a.arithmetic.ulps_sqrt * a.format.u
    e = e + u * (v + e)
    if (nothing := _zero(a)) is not False:
        e = np.where(nothing, 0.0, e)
    return finish(
        a,
        v,
        e,
        nonnegative=True,
        host=a.host,
        definite=lambda: certainly_nan(a) | (_certainly_infinite(a) & (a.v > 0)) | (a.v + a.e < 0),
    )


def power(a: Bounded, b: Bounded) -> Bounded:
    """a^b: by the ends of a's interval for b known exactly, plus |v ln a| times the error of b."""
    a, b = meet(a, b)
    v = np.power(a.v, b.v)
    far, near = np.abs(a.v) + a.e, np.maximum(np.abs(a.v) - a.e, 0.0)
    size = np.abs(v)
    e = np.maximum(np.abs(np.power(far, b.v) - size), np.abs(size - np.power(near, b.v)))
    logs = np.maximum(np.abs(np.log(far)), np.abs(np.log(near)))
    e = e + np.where(b.e > 0, (size + e) * np.expm1(logs * b.e), 0.0)
    whole = (b.e == 0) & (b.v == np.rint(b.v))
    e = np.where(
        (a.v - a.e <= 0) & (a.v + a.e >= 0) & ~(_zero(a) & (b.v > 0)) & (b.v <= 0), np.inf, e
    )
    e = np.where((a.v - a.e < 0) & ~whole & (not a.nonnegative), np.inf, e)
    plain = ((b.v == 0) & (b.e == 0)) | (_zero(a) & (b.v > b.e)) | ((a.v == 1) & (a.e == 0))
    # The first power is a number of the format: an operation within one ulp returns it.
    first = (b.v == 1) & (b.e == 0) & (a.arithmetic.ulps_power <= 1)
    u = 2 * a.arithmetic.ulps_power * a.format.u
    rounding = u * (size + e) + _underflow(a, a.arithmetic.ulps_power)
    e = np.where(plain, 0.0, np.where(first, a.e, e + rounding))
    return finish(
        a,
        v,
        e,
        nonnegative=a.nonnegative,
        host=a.host and b.host,
        definite=lambda: certainly_nan(a, b),
    )


def _smooth(
    function: Callable[[Any], Any], spread: Callable[[Any, Any, Any], Any], positive: bool
) -> Callable[[Bounded], Bounded]:
    """An elementary function whose propagated error is spread(v, a, e)."""

    def operation(a: Bounded) -> Bounded:
        v = function(a.v)
        e = spread(v, a.v, a.e)
        u = 2 * a.arithmetic.ulps_function * a.format.u
        e = np.where((a.e == 0) & ((v == 0) | (v == 1)), e, e + u * (np.abs(v) + e))
        underflow = _underflow(a, a.arithmetic.ulps_function)
        e = np.where((e == 0) & (a.e == 0), 0.0, e + underflow)
        return finish(a, v, e, nonnegative=positive, host=a.host, definite=lambda: certainly_nan(a))

    return operation


def _log_spread(v: Any, a: Any, e: Any) -> Any:
    return np.where(a - e > 0, np.log1p(e / np.where(a - e > 0, a - e, 1.0)), np.inf)


def _erfinv_spread(v: Any, a: Any, e: Any) -> Any:
    # Its slope sqrt(pi)/2 exp(erfinv(x)^2) grows with |x|.
    far = np.abs(a) + e
    end = _erfinv(np.minimum(far, 1.0))
    return np.where(e == 0, 0.0, np.where(far < 1, e * np.exp(end * end), np.inf))


erfinv = _smooth(_erfinv, _erfinv_spread, positive=False)
exp = _smooth(np.exp, lambda v, a, e: v * np.expm1(e), positive=True)
log = _smooth(np.log, _log_spread, positive=False)
cos = _smooth(np.cos, lambda v, a, e: np.minimum(e, 2.0), positive=False)
sin = _smooth(np.sin, lambda v, a, e: np.minimum(e, 2.0), positive=False)
tanh = _smooth(np.tanh, lambda v, a, e: np.minimum(e, 2.0), positive=False)


def _extremum(choose: Callable[[Any, Any], Any]) -> Callable[[Bounded, Bounded], Bounded]:
    """Maximum or minimum, by the ends of the intervals: choosing does not round."""

    def operation(a: Bounded, b: Bounded) -> Bounded:
        a, b = meet(a, b)
        v = choose(a.v, b.v)
        low, high = choose(a.v - a.e, b.v - b.e), choose(a.v + a.e, b.v + b.e)
        e = np.maximum(high - v, v - low)
        same = (np.isinf(v)) & (_certainly_infinite(a) | _certainly_infinite(b))
        perhaps_nan = _perhaps_nan(a) | _perhaps_nan(b)
        e = np.where(np.isfinite(v) & perhaps_nan, np.inf, e)
        either = choose is np.maximum and (a.nonnegative or b.nonnegative)
        result = finish(
            a,
            v,
            np.where(same, 0.0, e),
            nonnegative=either or (a.nonnegative and b.nonnegative),
            host=a.host and b.host,
            definite=lambda: same | certainly_nan(a, b),
        )
        result.given = not np.any(perhaps_nan)
        return result

    return operation


def sign(a: Bounded) -> Bounded:
    """sign(a): exact where certain, else anywhere between the signs that a may have."""
    v = np.sign(a.v)
    low, high = np.sign(a.v - a.e), np.sign(a.v + a.e)
    e = np.where(np.isinf(a.v) & (a.e == 0), 0.0, np.maximum(high - v, v - low))
    e = np.where(_perhaps_nan(a), np.inf, e)
    return finish(a, v, e, host=a.host, definite=lambda: certainly_nan(a))


def _perhaps_nan(a: Bounded) -> Any:
    """Infinities that were computed: in another order inf - inf may have made a nan of them."""
    return np.asarray(False) if a.given or a.nonnegative else np.isinf(a.v)


def _comparison(
    compare: Callable[[Any, Any], Any],
) -> Callable[[Bounded, Bounded], Decision]:
    """A three-valued comparison: open where the intervals overlap; nan compares as NumPy's does."""

    def operation(a: Bounded, b: Bounded) -> Decision:
        a, b = meet(a, b)
        yes = np.asarray(compare(a.v, b.v))
        ends = (
            compare(a.v - a.e, b.v + b.e),
            compare(a.v + a.e, b.v - b.e),
        )
        open_ = (ends[0] != yes) | (ends[1] != yes) | np.isinf(a.e) | np.isinf(b.e)
        if compare in (np.equal, np.not_equal):
            touching = np.abs(a.v - b.v) <= a.e + b.e
            open_ = open_ | (touching & ((a.e > 0) | (b.e > 0)))
        return Decision(yes, np.asarray(open_ & ~np.asarray(certainly_nan(a, b))))

    return operation


def _finite(test: Callable[[Any], Any]) -> Callable[[Bounded], Decision]:
    def operation(a: Bounded) -> Decision:
        open_ = np.isinf(a.e)
        if test is not np.isfinite:
            open_ = open_ | _perhaps_nan(a)
        return Decision(np.asarray(test(a.v)), open_)

    return operation


OPERATIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.absolute: absolute,
    np.add: add,
    np.cos: cos,
    np.divide: divide,
    np.equal: _comparison(np.equal),
    np.exp: exp,
    np.fabs: absolute,
    np.greater: _comparison(np.greater),
    np.greater_equal: _comparison(np.greater_equal),
    np.isfinite: _finite(np.isfinite),
    np.isinf: _finite(np.isinf),
    np.isnan: _finite(np.isnan),
    np.less: _comparison(np.less),
    np.less_equal: _comparison(np.less_equal),
    np.log: log,
    np.maximum: _extremum(np.maximum),
    np.minimum: _extremum(np.minimum),
    np.multiply: multiply,
    np.negative: negative,
    np.not_equal: _comparison(np.not_equal),
    np.positive: positive,
    np.power: power,
    np.sign: sign,
    np.sin: sin,
    np.sqrt: sqrt,
    np.square: square,
    np.subtract: subtract,
    np.tanh: tanh,
    _erfinv: erfinv,
}
