"""Robbins-Monro certificates: proofs about sum a_t and sum a_t^2 of a step-size schedule.

Over 120 lines: every family of step sizes with its proof about both sums.

Robbins and Monro (1951) ask for (i) sum a_t = inf and (ii) sum a_t^2 < inf. Both concern the tail
alone, so no finite number of evaluations decides either: for every N there are sequences that agree
up to N and have all four verdicts. A schedule therefore carries a proof, an inequality on its tail
whose consequence is elementary. Its constants leave room, far more than a float64 value's rounding,
so that a checker may test the inequality on computed values.

The conditions suffice for convergence under bounded variance; they are not necessary. c / sqrt(t)
violates (ii), and still E |x_t - x*|^2 -> 0 on strongly convex quadratics.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class EventuallyZero:
    """a_t = 0 for t >= start."""

    start: int

    sum_diverges: ClassVar[bool] = False  # finitely many terms have a finite sum
    squares_converge: ClassVar[bool] = True  # and so have their squares

    def __str__(self) -> str:
        return (
            f"a_t = 0 from t = {self.start} on, so both sums have finitely many terms: "
            "the sum is finite, the sum of squares is finite."
        )


@dataclass(frozen=True, slots=True)
class BoundedBelow:
    """a_t >= low > 0 for t = start + k period, k = 0, 1, ...

    Where period > 1 the sequence recurs: a_{t + period} = a_t for t >= start.
    """

    low: float
    start: int = 0
    period: int = 1

    sum_diverges: ClassVar[bool] = True  # infinitely many terms are at least low
    squares_converge: ClassVar[bool] = False  # and their squares at least low^2

    def __str__(self) -> str:
        every = "every step" if self.period == 1 else f"every {self.period}th step"
        return (
            f"From t = {self.start} on {every} has a_t >= {self.low:.6g}, infinitely often: "
            "the sum is infinite, and so is the sum of squares."
        )


@dataclass(frozen=True, slots=True)
class Geometric:
    """0 <= a_{t + period} <= ratio a_t for t >= start, ratio < 1."""

    ratio: Fraction
    start: int = 0
    period: int = 1

    sum_diverges: ClassVar[bool] = False  # a geometric series converges
    squares_converge: ClassVar[bool] = True  # and so does that of the squares

    def __str__(self) -> str:
        return (
            f"From t = {self.start} on a_(t+{self.period}) <= {float(self.ratio):.6g} a_t, so the "
            "terms are dominated by geometric series: both sums are finite."
        )


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """A comparison with the series of (t + shift)^-p.

    a_t <= high / (t + shift)^p for t >= start, and a_t >= low / (t + shift)^p > 0 for
    t = start + k period. Where period > 1 it recurs: a_{t + period} >= a_t (t / (t + period))^p for
    every t >= start.
    """

    p: Fraction
    low: float
    high: float
    shift: float = 0.0
    start: int = 0
    period: int = 1

    @property
    def sum_diverges(self) -> bool:
        """The p-series, also over every period-th term, diverges exactly for p <= 1."""
        return self.p <= 1

    @property
    def squares_converge(self) -> bool:
        """The series of exponent 2p converges exactly for 2p > 1."""
        return 2 * self.p > 1

    def __str__(self) -> str:
        p = str(self.p) if self.p.denominator < 1000 else f"{float(self.p):.6g}"
        first = "infinite since p <= 1" if self.sum_diverges else "finite since p > 1"
        second = "finite since 2p > 1" if self.squares_converge else "infinite since 2p <= 1"
        return (
            f"a_t lies within constant factors of (t + {self.shift:.6g})^-p with p = {p}: "
            f"the sum is {first}, the sum of squares is {second}."
        )


@dataclass(frozen=True, slots=True)
class GeometricCycles:
    """Cycle i has length growth^i steps, with a_t <= 2 peak decay^i, and >= peak decay^i / 4 in its
    first half.

    In its first share x < 1, a_t >= peak decay^i (1 - x)^2 / 2. Where growth = 1 cycles differ by
    the factor decay alone.
    """

    length: int
    growth: int
    decay: Fraction
    peak: float

    @property
    def sum_diverges(self) -> bool:
        """Cycle i contributes between 1/8 and 2 times peak length (growth decay)^i."""
        return self.growth * self.decay >= 1

    @property
    def squares_converge(self) -> bool:
        """Cycle i contributes between 1/32 and 4 times peak^2 length (growth decay^2)^i."""
        return self.growth * self.decay**2 < 1

    def __str__(self) -> str:
        first = ">= 1: infinite" if self.sum_diverges else "< 1: finite"
        second = "< 1: finite" if self.squares_converge else ">= 1: infinite"
        return (
            f"Cycle i has {self.length} * {self.growth}^i steps of size about "
            f"{self.peak:.6g} * {float(self.decay):.6g}^i, so the sum behaves like that of "
            f"(growth decay)^i with {self.growth * float(self.decay):.6g} {first}; the sum of "
            f"squares like that of (growth decay^2)^i with "
            f"{self.growth * float(self.decay) ** 2:.6g} {second}."
        )


@dataclass(frozen=True, slots=True)
class Undecided:
    """No proof either way, and why."""

    reason: str

    sum_diverges: ClassVar[None] = None  # unknown
    squares_converge: ClassVar[None] = None  # unknown

    def __str__(self) -> str:
        return f"Undecided: {self.reason}."


Certificate = EventuallyZero | BoundedBelow | Geometric | PowerLaw | GeometricCycles | Undecided


def satisfies_both(certificate: Certificate) -> bool | None:
    """Whether the schedule satisfies (i) and (ii); None where no proof exists."""
    if certificate.sum_diverges is None or certificate.squares_converge is None:
        return None
    return certificate.sum_diverges and certificate.squares_converge


def held_at(value: float, start: int) -> Certificate:
    """The certificate of a schedule that stays at value >= 0 from start on."""
    return BoundedBelow(value / 2, start) if value > 0 else EventuallyZero(start)
