"""Schedules put together: sums, products, multiples and sequences of schedules.

Over 120 lines: the compositions, and the two rules by which their certificates follow.

Rule
    (a + b)_t = a_t + b_t,    (a b)_t = a_t b_t,    (c a)_t = c a_t with c >= 0,
    (a until k, then b)_t = a_t for t < k, then b_{t - k}

Certificates
    The conditions of Robbins and Monro concern the tail, so of a sequence the last part decides,
    delayed. Products distribute over sums: a composition is a sum of products of schedules.
    Sum rule. Of nonnegative a and b, sum (a + b) = sum a + sum b, and
    a^2 + b^2 <= (a + b)^2 <= 2 (a^2 + b^2): sum (a + b) diverges where either does, and
    sum (a + b)^2 converges where both do.
    Product rule. Every schedule here is bounded by its peak, and is 0 from some time on, or falls
    geometrically, or is at most C t^-p and at least c t^-p at certain times. A factor of 0 makes
    the product 0; one that falls geometrically makes both sums finite. Otherwise exponents add up,
    to P: the product is at most C t^-P, and at least c t^-P wherever all lower bounds hold. Those
    of a period hold together at times of the least common multiple, or recur from any time at which
    all are positive; those of growing cycles hold in the first share x < 1 of each cycle, which
    leaves intervals that grow as t does, and so times of every period. So times of positive density
    remain, and the sum diverges if and only if P <= 1, that of squares converges if and only if
    2 P > 1 (Cauchy's condensation).

Sources
    A. L. Cauchy, "Cours d'analyse", 1821, chapter 6, theorem on condensation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import gcd, lcm
from typing import ClassVar

from truestep.reference.declared import Hyper, Real
from truestep.reference.exponents import Exponent, order
from truestep.reference.robbins_monro import (
    BoundedBelow,
    Certificate,
    EventuallyZero,
    Geometric,
    GeometricCycles,
    PowerLaw,
    Undecided,
)
from truestep.reference.schedules import SCHEDULES
from truestep.reference.validation import Array, integer

# How many times are looked through for one at which two periodic factors are both positive.
_LOOKED_THROUGH = 100_000


@dataclass(frozen=True, slots=True)
class Single:
    """One schedule, from a time on: its own time begins at delay."""

    rule: str
    hyper: Hyper
    delay: int = 0

    def value(self, t: int) -> Array:
        """The learning rate of the step after t >= delay steps made."""
        return SCHEDULES[self.rule].value(self.hyper, t - self.delay)

    def certificate(self) -> Certificate:
        """The schedule's own, in its own time."""
        return SCHEDULES[self.rule].certificate(self.hyper)


@dataclass(frozen=True, slots=True)
class Added:
    """The sum of two."""

    first: "Composition"
    second: "Composition"

    def value(self, t: int) -> Array:
        """The learning rate of the step after t steps made."""
        return self.first.value(t) + self.second.value(t)


@dataclass(frozen=True, slots=True)
class Multiplied:
    """The product of two."""

    first: "Composition"
    second: "Composition"

    def value(self, t: int) -> Array:
        """The learning rate of the step after t steps made."""
        return self.first.value(t) * self.second.value(t)


@dataclass(frozen=True, slots=True)
class Scaled:
    """A multiple."""

    factor: float
    of: "Composition"

    def __post_init__(self) -> None:
        Real(0.0).check("factor", self.factor)

    def value(self, t: int) -> Array:
        """The learning rate of the step after t steps made."""
        return self.factor * self.of.value(t)


@dataclass(frozen=True, slots=True)
class Joined:
    """One until the step `until`, then another in its own time."""

    first: "Composition"
    until: int
    then: "Composition"

    def __post_init__(self) -> None:
        integer("until", self.until, 0)

    def value(self, t: int) -> Array:
        """The learning rate of the step after t steps made."""
        return self.first.value(t) if t < self.until else self.then.value(t - self.until)


Composition = Single | Added | Multiplied | Scaled | Joined
Factors = tuple[Single, ...]


Regular = BoundedBelow | PowerLaw | GeometricCycles


@dataclass(frozen=True, slots=True)
class Dominated:
    """At most a constant times a schedule that falls geometrically."""

    by: Certificate

    sum_diverges: ClassVar[bool] = False
    squares_converge: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"At most a constant times a schedule with finite sums. {self.by}"


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the order t^-P, P the sum of the exponents: see the product rule."""

    exponents: tuple[Exponent, ...]

    @property
    def sum_diverges(self) -> bool:
        """For P <= 1."""
        return order(self.exponents, 1) <= 0

    @property
    def squares_converge(self) -> bool:
        """For 2 P > 1."""
        return order(self.exponents, Fraction(1, 2)) > 0

    def __str__(self) -> str:
        P = sum(float(exponent) for exponent in self.exponents)
        first = "infinite since P <= 1" if self.sum_diverges else "finite since P > 1"
        second = "finite since 2P > 1" if self.squares_converge else "infinite since 2P <= 1"
        return (
            f"A product of at most the order t^-P, P = {P:.6g} the sum of its factors' exponents, "
            f"and of that order at times of positive density: the sum is {first}, the sum of "
            f"squares is {second}."
        )


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of sequences with these certificates."""

    terms: tuple["Certificate | Product | Dominated", ...]

    @property
    def sum_diverges(self) -> bool | None:
        """It does where one does."""
        found = [term.sum_diverges for term in self.terms]
        return True if True in found else None if None in found else False

    @property
    def squares_converge(self) -> bool | None:
        """They do where all do."""
        found = [term.squares_converge for term in self.terms]
        return False if False in found else None if None in found else True

    def __str__(self) -> str:
        return f"A sum of nonnegative terms. {' '.join(map(str, self.terms))}"


def certificate(schedule: Composition) -> Certificate | Product | Dominated | Sum:
    """Why the composed step sizes satisfy or violate the conditions of Robbins and Monro."""
    terms = tuple(_product(factors) for factors in _terms(schedule, 0))
    if not terms:
        return EventuallyZero(0)
    return terms[0] if len(terms) == 1 else Sum(terms)


def _terms(schedule: Composition, delay: int) -> list[Factors]:
    """The products that a composition is the sum of, from some time on."""
    match schedule:
        case Single():
            return [(Single(schedule.rule, schedule.hyper, schedule.delay + delay),)]
        case Added():
            return _terms(schedule.first, delay) + _terms(schedule.second, delay)
        case Multiplied():
            first, second = (_terms(part, delay) for part in (schedule.first, schedule.second))
            return [a + b for a in first for b in second]
        case Scaled():
            return _terms(schedule.of, delay) if schedule.factor > 0 else []
    return _terms(schedule.then, delay + schedule.until)


def _product(factors: Factors) -> Certificate | Product | Dominated:
    """The product rule."""
    found = [(factor, factor.certificate()) for factor in factors]
    if len(found) == 1:
        return found[0][1]
    if zero := [f.delay + c.start for f, c in found if isinstance(c, EventuallyZero)]:
        return EventuallyZero(max(zero))
    if unknown := [c for _, c in found if isinstance(c, Undecided)]:
        return unknown[0]
    if falling := [c for _, c in found if _falls(c)]:
        return Dominated(falling[0])
    regular = [(f, c) for f, c in found if isinstance(c, BoundedBelow | PowerLaw | GeometricCycles)]
    times = [_times(f, c) for f, c in regular if _recurs(c)]
    if not _meet(times):
        start, period = max(start for start, _ in times), lcm(*(period for _, period in times))
        recurring = [f for f, c in regular if _recurs(c)]
        window = range(start, start + min(period, _LOOKED_THROUGH))
        if not any(all(f.value(t) > 0 for f in recurring) for t in window):
            if period > _LOOKED_THROUGH:
                return Undecided(f"no common time was found among {_LOOKED_THROUGH} of {period}")
            return EventuallyZero(start)
    return Product(tuple(_exponent(c) for _, c in regular))


def _falls(c: Certificate) -> bool:
    """Whether a schedule falls geometrically."""
    cycles = isinstance(c, GeometricCycles) and c.growth == 1 and c.decay < 1
    return cycles or isinstance(c, Geometric)


def _recurs(c: Regular) -> bool:
    """Whether the lower bound holds at times of one period; else it does in growing stretches."""
    return not (isinstance(c, GeometricCycles) and c.growth > 1)


def _times(factor: Single, c: Regular) -> tuple[int, int]:
    """When the lower bound holds: the first time and the period."""
    if isinstance(c, GeometricCycles):
        return factor.delay, c.length
    return factor.delay + c.start, c.period


def _meet(times: Sequence[tuple[int, int]]) -> bool:
    """Whether they have a time in common, and so infinitely many (Chinese remainder theorem)."""
    pairs = combinations(times, 2)
    return all((a - b) % gcd(p, q) == 0 for (a, p), (b, q) in pairs)


def _exponent(c: Regular) -> Exponent:
    """The p of t^-p."""
    if isinstance(c, PowerLaw):
        return Exponent(c.p)
    if isinstance(c, GeometricCycles):
        return Exponent(growth=c.growth, decay=c.decay)
    return Exponent()
