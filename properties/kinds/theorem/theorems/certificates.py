"""An independent check of Robbins-Monro certificates: inequality by inequality, never by summing.

A certificate claims an inequality on all of a schedule's tail and two conclusions. The checker
knows neither the schedule's formula nor the certificate's rules: it evaluates the inequality on
computed values at sampled times up to 2^60, and draws the conclusions again with its own arithmetic
in rational numbers. A sample cannot prove the inequality; it refutes a wrong one. Every certificate
leaves a factor near 2 of room, or for a ratio r half the distance to 1, so the rounding of float64
values (below 2^-40 for every schedule here) cannot decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from truestep.reference.robbins_monro import (
    BoundedBelow,
    Certificate,
    EventuallyZero,
    Geometric,
    GeometricCycles,
    PowerLaw,
    Undecided,
)

Schedule = Callable[[int], float]

# Below this a float64 loses digits to underflow, and a quotient of two values says nothing.
SMALLEST_WITH_ALL_DIGITS = 2.0**-900


def _times(start: int, period: int = 1) -> Iterator[int]:
    """start + k period for small k, and for k = 2^j - 1, 2^j, 2^j + 1 up to about 2^60."""
    for k in range(64):
        yield start + k * period
    for j in range(6, 61):
        for k in (2**j - 1, 2**j, 2**j + 1):
            yield start + k * period


def problems(certificate: Certificate, schedule: Schedule) -> list[str]:
    """What is wrong with a certificate, in words; empty if nothing was found."""
    if isinstance(certificate, Undecided):
        return [] if certificate.reason else ["an undecided certificate must say why"]
    found = list(_premises(certificate, schedule))
    want = _conclusions(certificate)
    if want is None:
        found.append(f"constants prove nothing: {certificate!r}")
    elif (claimed := (certificate.sum_diverges, certificate.squares_converge)) != want:
        found.append(f"conclusions {claimed} do not follow, {want} do: {certificate!r}")
    return found


def _conclusions(certificate: Certificate) -> tuple[bool, bool] | None:
    """(sum diverges, sum of squares converges), drawn from the constants alone."""
    if isinstance(certificate, EventuallyZero):
        return False, True
    if isinstance(certificate, BoundedBelow):
        return (True, False) if certificate.low > 0 and certificate.period >= 1 else None
    if isinstance(certificate, Geometric):
        return (False, True) if 0 <= certificate.ratio < 1 and certificate.period >= 1 else None
    if isinstance(certificate, PowerLaw):
        law = certificate
        if not (0 < law.low <= law.high and law.p > 0 and law.period >= 1):
            return None
        if not law.start + law.shift > 0:
            return None
        # Cauchy condensation: blocks [2^k, 2^(k+1)) sum to about 2^(k (1 - p)) and 2^(k (1 - 2p)).
        return 1 - law.p >= 0, 1 - 2 * law.p < 0
    if isinstance(certificate, GeometricCycles):
        cycles = certificate
        if not (cycles.length >= 1 and cycles.growth >= 1 and cycles.peak > 0):
            return None
        if not 0 < cycles.decay <= 1:
            return None
        steps, size = Fraction(cycles.growth), Fraction(cycles.decay)
        return not steps * size < 1, steps * size * size < 1
    return None


def _premises(certificate: Certificate, schedule: Schedule) -> Iterator[str]:
    """Every sampled time at which the claimed inequality is violated."""
    if isinstance(certificate, EventuallyZero):
        for t in _times(certificate.start):
            if (a := schedule(t)) != 0:
                yield f"a_{t} = {a!r} is not 0"
    elif isinstance(certificate, BoundedBelow):
        for t in _times(certificate.start, certificate.period):
            if not (a := schedule(t)) >= certificate.low:
                yield f"a_{t} = {a!r} is less than {certificate.low!r}"
    elif isinstance(certificate, Geometric):
        for t in _times(certificate.start):
            now, later = schedule(t), schedule(t + certificate.period)
            if now >= SMALLEST_WITH_ALL_DIGITS:
                limit = certificate.ratio * Fraction(now)
                if not 0 <= Fraction(later) <= limit:
                    yield f"a_{t + certificate.period} = {later!r} exceeds {float(limit)!r}"
            elif not 0 <= later <= now:
                yield f"a_{t + certificate.period} = {later!r} exceeds a_{t} = {now!r}"
    elif isinstance(certificate, PowerLaw):
        yield from _power_law(certificate, schedule)
    elif isinstance(certificate, GeometricCycles):
        yield from _cycles(certificate, schedule)


def _power_law(c: PowerLaw, schedule: Schedule) -> Iterator[str]:
    for t in _times(c.start):
        limit = c.high / (t + c.shift) ** float(c.p)
        if not 0 <= (a := schedule(t)) <= limit:
            yield f"a_{t} = {a!r} exceeds {limit!r}"
    for t in _times(c.start, c.period):
        limit = c.low / (t + c.shift) ** float(c.p)
        if not (a := schedule(t)) >= limit:
            yield f"a_{t} = {a!r} is less than {limit!r}"


def _cycles(c: GeometricCycles, schedule: Schedule) -> Iterator[str]:
    start, length = 0, c.length
    for i in range(200):
        peak = Fraction(c.peak) * c.decay**i
        if start > 2**60 or peak < SMALLEST_WITH_ALL_DIGITS:
            return
        for eighth in range(8):
            t = start + length * eighth // 8
            a = Fraction(schedule(t))
            if not 0 <= a <= 2 * peak:
                yield f"a_{t} = {float(a)!r} exceeds twice {float(peak)!r}"
            if 2 * (t - start) <= length and not a >= peak / 4:
                yield f"a_{t} = {float(a)!r} is less than a quarter of {float(peak)!r}"
        start, length = start + length, length * c.growth
