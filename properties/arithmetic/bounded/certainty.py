"""What is certain of an operand and of a result: where operands meet, and what leaves the range.

Most operands are host scalars or small arrays, so the time goes into calls and not into elements:
scalars are asked as numbers, and nothing is masked where no element needs it.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from truestep.properties.arithmetic.bounded.estimate import Carried, Estimate, Float
from truestep.properties.arithmetic.formats import Format
from truestep.reference.validation import Array

# An array of bool, or a plain bool that stands for all elements.
Mask: TypeAlias = Array


def meet(a: Carried, b: Carried) -> tuple[Carried, Carried]:
    """Both operands in the operation's format: the array's, or of two scalars the coarser."""
    if a.format is b.format and a.host == b.host:
        return a, b
    if a.host != b.host:
        return (rounded(a, b.format), b) if a.host else (a, rounded(b, a.format))
    target = a.format if a.format.u >= b.format.u else b.format
    return rounded(a, target), rounded(b, target)


def rounded(a: Carried, target: Format) -> Carried:
    """a in the target format: one rounding unless it is representable for certain."""
    e = a.e if target.u <= a.format.u else _after_rounding(a, target)
    facts: dict[str, Array] = {"nonnegative": a.nonnegative, "host": a.host, "shrinks": a.shrinks}
    facts |= {"divisor": a.divisor, "fraction": a.fraction, "depth": a.depth}
    facts |= {"sheer": a.given or a.sheer}
    return a.like(a.v, e, target, reach=a.reach, **facts)


def _after_rounding(a: Estimate, target: Format) -> Float:
    if a.v.ndim == 0:
        v, error = float(a.v), float(a.e)
        if error != 0 or (abs(v) < math.inf and not target.represents(a.v)):
            error = error + target.u * (abs(v) + error) + target.eta
        return np.asarray(
            math.inf if abs(v) < math.inf and abs(v) + error > target.largest else error
        )
    held = target.represents(a.v) | ~np.isfinite(a.v)
    kept = ((a.e == 0) & held) | np.isinf(a.e)
    e = np.where(kept, a.e, a.e + target.u * (np.abs(a.v) + a.e) + target.eta)
    return np.where(np.isfinite(a.v) & ~(np.abs(a.v) + e <= target.largest), np.inf, e)


def finish(
    like: Carried,
    v: Float,
    e: Float,
    *,
    mass: Float | None = None,
    reach: Float | None = None,
    links: int = 0,
    nonnegative: bool = False,
    host: bool,
    definite: Callable[[], Mask],
) -> Carried:
    """The result with its range checked: e = inf where a kernel may overflow or nothing is known.

    definite(): where a non-finite v is what every faithful kernel gives; asked only out of range.
    """
    size = np.abs(v) if mass is None else mass
    far = size + e if reach is None else np.maximum(size + e, reach)
    beyond: Mask = False
    if not top(far) <= like.format.largest:
        beyond = np.abs(v) - 2 * e > like.format.largest * (1 + 2 * like.format.u)
        e = np.where(far <= like.format.largest, e, np.inf)
        e = np.where(~np.isfinite(v) & definite(), 0.0, e)
    reach = np.maximum(size, 1.0) if reach is None else reach
    facts: dict[str, Array] = {"mass": size, "reach": reach, "links": links, "beyond": beyond}
    return like.like(v, e, nonnegative=nonnegative, host=host, **facts)


def top(sizes: Float) -> float:
    """The largest of these sizes, nan where one is nan."""
    return float(sizes if sizes.ndim == 0 else np.maximum.reduce(sizes, axis=None, initial=0.0))


def certainly_nan(*operands: Carried) -> Mask:
    """Where an operand is nan for certain, so that the result is."""
    out: Mask = False
    for a in operands:
        out = out | (np.isnan(a.v) & (a.e == 0))
    return out


def certainly_infinite(a: Carried) -> Mask:
    """Where a is an infinity for certain."""
    return np.isinf(a.v) & (a.e == 0)


def zero(a: Carried) -> Mask:
    """Where a is zero for certain; plain False, which is cheap, if nowhere."""
    some = bool(a.v) if a.v.ndim == 0 else a.v.all()
    return False if some else (a.v == 0) & (a.e == 0)


def power_of_two(a: Carried) -> bool:
    """Whether a is a scalar +-2^k for certain: scaling by it does not round."""
    return a.v.ndim == 0 and a.e == 0 and abs(math.frexp(a.v)[0]) == 0.5


def underflow(a: Carried, ulps: float) -> float:
    """What an operation accurate to so many ulps may lose at the bottom of a's format."""
    return a.arithmetic.eta(a.format) + (2 * ulps - 1) * a.format.eta


def perhaps_nan(a: Carried) -> Mask:
    """What is hazy, and computed infinities: inf - inf in another order makes a nan of them."""
    computed: Mask = False if a.given or a.nonnegative else np.isinf(a.v)
    return computed if a.hazy is None else computed | np.isfinite(a.hazy)
