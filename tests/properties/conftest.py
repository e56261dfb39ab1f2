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

import pytest

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
Problems = Callable[[Certificate, Schedule], list[str]]

# Below this a float64 loses digits to underflow, and a quotient of two values says nothing.
SMALLEST_WITH_ALL_DIGITS = 2.0**-900


def _times(start: int, period: int = 1) -> Iterator[int]:
    """start + k period for small k, and for k = 2^j - 1, 2^j, 2^j + 1 up to about 2^60."""
    for k in range(64):
        yield start + k * period
    for j in range(6, 61):
        for k in (2**j - 1, 2**j, 2**j + 1):
            yield start + k * period


@pytest.fixture(scope="session")
def problems() -> Problems:
    """The checker: what is wrong with a certificate, in words; empty if nothing was found."""
    return _problems


def _problems(certificate: Certificate, schedule: Schedule) -> list[str]:
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
    match certificate:
        case EventuallyZero():
            return False, True
        case BoundedBelow(low=low, period=period) if low > 0 and period >= 1:
            return True, False
        case Geometric(ratio=ratio, period=period) if 0 <= ratio < 1 and period >= 1:
            return False, True
        case PowerLaw() as c if (
            0 < c.low <= c.high and c.p > 0 and c.period >= 1 and c.start + c.shift > 0
        ):
            # Cauchy condensation: blocks [2^k, 2^(k+1)) sum to about 2^(k (1 - p)), 2^(k (1 - 2p)).
            return 1 - c.p >= 0, 1 - 2 * c.p < 0
        case GeometricCycles() as c if (
            c.length >= 1 and c.growth >= 1 and c.peak > 0 and 0 < c.decay <= 1
        ):
            steps, size = Fraction(c.growth), Fraction(c.decay)
            return not steps * size < 1, steps * size * size < 1
    return None


def _premises(certificate: Certificate, schedule: Schedule) -> Iterator[str]:
    """Every sampled time at which the claimed inequality is violated."""
    match certificate:
        case EventuallyZero(start=start):
            for t in _times(start):
                if (a := schedule(t)) != 0:
                    yield f"a_{t} = {a!r} is not 0"
        case BoundedBelow(low=low, start=start, period=period):
            for t in _times(start, period):
                if not (a := schedule(t)) >= low:
                    yield f"a_{t} = {a!r} is less than {low!r}"
        case Geometric():
            yield from _geometric(certificate, schedule)
        case PowerLaw():
            yield from _power_law(certificate, schedule)
        case GeometricCycles():
            yield from _cycles(certificate, schedule)


def _geometric(c: Geometric, schedule: Schedule) -> Iterator[str]:
    for t in _times(c.start):
        now, later = schedule(t), schedule(t + c.period)
        if now >= SMALLEST_WITH_ALL_DIGITS:
            limit = c.ratio * Fraction(now)
            if not 0 <= Fraction(later) <= limit:
                yield f"a_{t + c.period} = {later!r} exceeds {float(limit)!r}"
        elif not 0 <= later <= now:
            yield f"a_{t + c.period} = {later!r} exceeds a_{t} = {now!r}"


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
