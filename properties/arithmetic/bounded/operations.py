"""Error propagation of the operations of arithmetic on Bounded arrays, one function each."""

import math

import numpy as np

from truestep.properties.arithmetic.bounded.certainty import (
    Mask,
    certainly_infinite,
    certainly_nan,
    finish,
    meet,
    power_of_two,
    top,
    underflow,
    zero,
)
from truestep.properties.arithmetic.bounded.estimate import Carried, Estimate, Float
from truestep.reference.validation import Array


def add(a: Carried, b: Carried, sign: int = 1) -> Carried:
    """a + b, or a - b: one rounding of at most u times the mass of the chain; x + 0 is exact.

    A sum of subnormal size is exact, unless it is flushed.
    """
    a, b = meet(a, b)
    v = a.v + b.v if sign > 0 else a.v - b.v
    e = a.e + b.e
    mass = a.mass + b.mass
    unrounded = zero(a) | zero(b)
    if a.host and v.ndim == 0 and e == 0 and mass <= 1 / a.format.u:
        unrounded = unrounded | (float(v).is_integer() and float(a.v).is_integer())
    rounded_e = e + a.format.u * (mass + e)
    if a.arithmetic.subnormals == "flushed":
        rounded_e = rounded_e + a.arithmetic.eta(a.format)
    e = rounded_e if unrounded is False else np.where(unrounded, e, rounded_e)

    def definite() -> Mask:
        one = certainly_infinite(a) & np.isfinite(b.v + b.e)
        other = certainly_infinite(b) & np.isfinite(a.v + a.e)
        both = certainly_infinite(a) & certainly_infinite(b) & np.isinf(v)
        return one | other | both | certainly_nan(a, b)

    nonnegative = sign > 0 and a.nonnegative and b.nonnegative
    host = a.host and b.host
    out = finish(a, v, e, mass=mass, nonnegative=nonnegative, host=host, definite=definite)
    out.fraction = a.fraction * b.fraction
    out.sheer = nonnegative and all(x.given or x.sheer or x.host for x in (a, b))
    return out


def subtract(a: Carried, b: Carried) -> Carried:
    """a - b, as the sum of a and -b; the host's 1 - beta is known not to be negative."""
    out = add(a, b, -1)
    if out.host and a.v - a.e >= b.v + b.e:
        out.nonnegative = True
    if out.host and b.shrinks is not None and a.v == 1:
        # What multiplies x by it may multiply x by the factors of b one by one.
        out.shrinks, out.reach = abs(float(b.v)), np.maximum(out.reach, b.reach)
    return out


def multiply(a: Carried, b: Carried) -> Carried:
    """a b: one rounding and one possible underflow; 0 x is exact, 2^k x cannot round.

    A term whose coefficient, a host's scalar, is exactly 0 may be left out: where x is not finite,
    nothing is known of 0 x.
    """
    square = a is b
    a, b = meet(a, b)
    v = a.v * b.v
    size_a, size_b, size = np.abs(a.v), np.abs(b.v), np.abs(v)
    e = size_a * b.e + size_b * a.e + a.e * b.e
    reach = a.reach * b.reach
    links = a.links + b.links + 1
    two_a, two_b = power_of_two(a), power_of_two(b)
    u = 0.0 if two_a or two_b else a.format.u
    mass = size
    host = a.host and b.host
    if (a.shrinks or b.shrinks) and not host:
        apart, mass = _taken_apart(*((a, b) if a.shrinks else (b, a)))
        e, u = np.maximum(e, apart), a.format.u
    e = e + u * (size + e)
    # Multiplying by +-2^k with k >= 0 cannot underflow.
    if not (two_a and size_a >= 1) and not (two_b and size_b >= 1):
        e = e + links * a.arithmetic.eta(a.format) * reach * (a.depth * b.depth)
    # 1 - a = 0 makes x - a x zero, but not what it is part of in another order.
    zero_a: Mask = False if a.shrinks else zero(a)
    zero_b: Mask = False if b.shrinks else zero(b)
    if zero_a is not False or zero_b is not False:
        # 0 x is 0 unless the kernel's x may be an infinity or a nan.
        nothing = (zero_a & np.isfinite(b.v + b.e)) | (zero_b & np.isfinite(a.v + a.e))
        e = np.where(nothing & (v == 0), 0.0, e)

    def definite() -> Mask:
        one = certainly_infinite(a) & (size_b > b.e)
        other = certainly_infinite(b) & (size_a > a.e)
        absent = a.host != b.host and zero(a if a.host else b)
        return (one | other | certainly_nan(a, b)) & ~np.asarray(absent)

    facts: dict[str, Array] = {"mass": mass, "reach": reach, "links": links}
    nonnegative = square or (a.nonnegative and b.nonnegative)
    out = finish(a, v, e, nonnegative=nonnegative, host=host, definite=definite, **facts)
    out.shrinks = 0.0 if host else None
    # With a weight it is a term of an average, which may be written otherwise.
    out.sheer = nonnegative and not (a.host or b.host) and all(x.given or x.sheer for x in (a, b))
    out.divisor, out.depth = a.divisor * b.divisor, a.depth * b.depth
    out.fraction = a.fraction * b.fraction
    for factor in (a, b):
        if factor.host and 0 < (f := abs(float(factor.v))) < 1:
            out.divisor /= f
    return out


def _taken_apart(factor: Estimate, x: Estimate) -> tuple[Float, Float]:
    """Error and mass of (1 - a) x as x - a x, to which other terms may be added.

    Its product and its constant are rounded.
    """
    share, far = factor.shrinks or 0.0, np.abs(x.v) + x.e
    return np.abs(factor.v) * x.e + 2 * x.format.u * share * far, (1 + share) * far


def divide(a: Carried, b: Carried) -> Carried:
    """a / b: nothing is known where b may be zero, except that 0/0 is nan and 0/b is 0.

    A finite number over an infinity is 0, or nan where that infinity may be one. Where both may
    overflow, it may be nan: no number is near it.
    """
    a, b = meet(a, b)
    v = a.v / b.v
    if not top(b.e) < np.inf:
        v = np.where(np.isinf(a.e) & np.isinf(b.e), np.nan, v)
    size, size_b = np.abs(v), np.abs(b.v)
    low = size_b - b.e
    clear = low > 0
    safe = np.where(clear, low, 1.0)
    e = np.where(clear, (a.e + size * b.e) / safe, np.inf)
    reach = a.reach * np.maximum(np.where(clear, 1.0 / safe, np.inf), 1.0) * b.divisor
    links, depth = a.links + b.links + 1 + (b.fraction > 1), a.depth * b.fraction
    two = power_of_two(b)
    u = 0.0 if two else 2 * a.arithmetic.ulps_division * a.format.u
    e = e + u * (size + e)
    if not (two and size_b <= 1):
        e = e + links * underflow(a, a.arithmetic.ulps_division) * reach * depth
    if (nothing := zero(a)) is not False:
        e = np.where(nothing & clear, 0.0, e)
    hazy = None
    if not top(size_b) < np.inf:
        # A numerator that overflows in another order makes inf / inf of it.
        nothing = certainly_infinite(b) & np.isfinite(a.v + a.e) & (reach <= a.format.largest)
        e = np.where(np.isinf(b.v), np.inf, e)
        if b.given or b.sheer:
            e = np.where(nothing, 0.0, e)
        elif np.any(nothing):
            hazy = np.where(nothing, 0.0, np.inf)

    def definite() -> Mask:
        by_zero = zero(b) & (zero(a) | (np.abs(a.v) > a.e))
        infinite = certainly_infinite(a) & (clear & np.isfinite(b.v) | certainly_infinite(b))
        return by_zero | infinite | certainly_nan(a, b)

    facts: dict[str, Array] = {"mass": size, "reach": reach, "links": links}
    nonnegative, host = a.nonnegative and b.nonnegative, a.host and b.host
    out = finish(a, v, e, nonnegative=nonnegative, host=host, definite=definite, **facts)
    out.hazy = hazy
    scalar = abs(float(b.v)) if b.v.ndim == 0 else 1.0
    out.divisor, out.depth = a.divisor * max(1.0, scalar), depth
    out.fraction = a.fraction / scalar if b.host and 0 < scalar < 1 else a.fraction
    return out


def square(a: Carried) -> Carried:
    """a a."""
    return multiply(a, a)


def sqrt(a: Carried) -> Carried:
    """Square root, by the ends of the interval; a negative end is a nan unless a is nonnegative."""
    v = np.sqrt(a.v)
    low = a.v - a.e
    e = np.maximum(np.sqrt(a.v + a.e) - v, v - np.sqrt(np.maximum(low, 0.0)))
    if not a.nonnegative:
        e = np.where(low < 0, np.inf, e)
    e = e + 2 * a.arithmetic.ulps_sqrt * a.format.u * (v + e)

    def definite() -> Mask:
        return certainly_nan(a) | (certainly_infinite(a) & (a.v > 0)) | (a.v + a.e < 0)

    out = finish(a, v, e, nonnegative=True, host=a.host, definite=definite)
    out.fraction, out.sheer = math.sqrt(a.fraction), a.given or a.sheer
    return out


def power(a: Carried, b: Carried) -> Carried:
    """a^b: by the ends of a's interval for b known exactly, plus |v ln a| times the error of b."""
    a, b = meet(a, b)
    v = np.power(a.v, b.v)
    size, size_a = np.abs(v), np.abs(a.v)
    far, near = size_a + a.e, np.maximum(size_a - a.e, 0.0)
    e = np.maximum(np.abs(np.power(far, b.v) - size), np.abs(size - np.power(near, b.v)))
    known = b.e == 0
    if not known.all():
        logs = np.maximum(np.abs(np.log(far)), np.abs(np.log(near)))
        e = e + np.where(b.e > 0, (size + e) * np.expm1(logs * b.e), 0.0)
    # Where the base may be zero, a power that is not positive is infinite at the near end.
    nothing = zero(a)
    if not a.nonnegative:
        e = np.where((a.v - a.e < 0) & ~(known & (b.v == np.rint(b.v))), np.inf, e)
    plain = ((b.v == 0) & known) | (nothing & (b.v > b.e)) | ((a.v == 1) & (a.e == 0))
    # The first power is a number of the format: an operation within one ulp returns it.
    first = (b.v == 1) & known & (a.arithmetic.ulps_power <= 1)
    u = 2 * a.arithmetic.ulps_power * a.format.u
    rounding = u * (size + e) + underflow(a, a.arithmetic.ulps_power)
    e = np.where(plain, 0.0, np.where(first, a.e, e + rounding))
    facts: dict[str, Array] = {"mass": size, "nonnegative": a.nonnegative}
    host = a.host and b.host
    return finish(a, v, e, host=host, definite=lambda: certainly_nan(a, b), **facts)
