"""Certificates of sums, products and sequences of schedules, against values."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truestep.reference.compositions import (
    Added,
    Composition,
    Joined,
    Multiplied,
    Scaled,
    Single,
    certificate,
)
from truestep.reference.exponents import Exponent, order
from truestep.reference.robbins_monro import BoundedBelow, GeometricCycles, PowerLaw, satisfies_both
from truestep.reference.schedules import SCHEDULES


def one(rule: str, **fields: Any) -> Single:
    """A schedule with these hyperparameters."""
    return Single(rule, SCHEDULES[rule].Hyper(**fields))


HALF = one("power", power=0.5)
HARMONIC = one("power", power=1.0)
CONSTANT = one("constant", lr=0.1)
FALLING = one("exponential")
BOUNCING = one("cosine", after="bounce", total_steps=6)
ENDING = one("cosine")
DOUBLING = one("warm_restarts", growth=2, decay=0.5)
QUADRUPLING = one("warm_restarts", growth=4, decay=0.5)
TRIPLING = one("warm_restarts", growth=3)
BLINKING = one("cyclic", min_lr=0.0, steps_up=1, steps_down=1)
SAWTOOTH = one("polynomial", after="cycle", total_steps=4)
UNKNOWN = one("one_cycle")

# A composition, sum a_t = inf, sum a_t^2 < inf.
VERDICTS: list[tuple[Composition, bool | None, bool | None]] = [
    (Added(HALF, HARMONIC), True, False),
    (Added(HARMONIC, FALLING), True, True),
    (Added(FALLING, ENDING), False, True),
    (Added(UNKNOWN, HALF), True, False),
    (Added(UNKNOWN, FALLING), None, None),
    (Multiplied(HALF, HALF), True, True),
    (Multiplied(HALF, HARMONIC), False, True),
    (Multiplied(CONSTANT, HARMONIC), True, True),
    (Multiplied(CONSTANT, HALF), True, False),
    (Multiplied(FALLING, CONSTANT), False, True),
    (Multiplied(ENDING, UNKNOWN), False, True),
    (Multiplied(UNKNOWN, HALF), None, None),
    (Multiplied(BOUNCING, HALF), True, False),
    (Multiplied(BOUNCING, HARMONIC), True, True),
    (Multiplied(DOUBLING, TRIPLING), True, True),
    (Multiplied(QUADRUPLING, HALF), True, True),
    (Multiplied(QUADRUPLING, DOUBLING), False, True),
    (Multiplied(QUADRUPLING, BOUNCING), True, False),
    (Multiplied(BLINKING, BLINKING), True, False),
    (Multiplied(BLINKING, Joined(CONSTANT, 1, BLINKING)), False, True),
    (Multiplied(BOUNCING, Joined(CONSTANT, 3, BOUNCING)), True, False),
    (Multiplied(SAWTOOTH, Joined(CONSTANT, 2, BOUNCING)), True, True),
    (Multiplied(SAWTOOTH, Joined(CONSTANT, 2, SAWTOOTH)), False, True),
    (Multiplied(Added(HALF, FALLING), Added(HALF, CONSTANT)), True, False),
    (Joined(CONSTANT, 100, HARMONIC), True, True),
    (Joined(HARMONIC, 100, ENDING), False, True),
    (Scaled(3.0, HARMONIC), True, True),
    (Scaled(0.0, CONSTANT), False, True),
    (Added(Scaled(0.0, CONSTANT), HARMONIC), True, True),
]


@pytest.mark.parametrize(("schedule", "diverges", "squares"), VERDICTS)
def test_verdicts(schedule: Composition, diverges: bool | None, squares: bool | None) -> None:
    """The sum and the product rule, with a proof in words."""
    found = certificate(schedule)
    assert (found.sum_diverges, found.squares_converge) == (diverges, squares)
    assert satisfies_both(found) is (None if diverges is None else diverges and squares)
    assert str(found).endswith(".")


def test_values_are_those_of_the_parts() -> None:
    """Sums, products, multiples, and sequences in their own time."""
    t = 7
    a, b = float(HALF.value(t)), float(FALLING.value(t))
    assert Added(HALF, FALLING).value(t) == a + b
    assert Multiplied(HALF, FALLING).value(t) == a * b
    assert Scaled(3.0, HALF).value(t) == 3 * a
    assert Joined(HALF, 7, FALLING).value(t) == FALLING.value(0)
    assert Joined(HALF, 8, FALLING).value(t) == a
    with pytest.raises(ValueError, match="factor must be >= 0"):
        Scaled(-1.0, HALF)


def test_only_what_is_no_sequence_is_unknown() -> None:
    """Of every pair of the library's schedules at their defaults, sum and product are decided."""
    for rule in SCHEDULES:
        for other in SCHEDULES:
            if "one_cycle" in (rule, other):
                continue
            for made in (Added, Multiplied):
                found = certificate(made(one(rule), one(other)))
                assert None not in (found.sum_diverges, found.squares_converge), (rule, other)


factors = st.sampled_from([HALF, HARMONIC, CONSTANT, BOUNCING, DOUBLING, QUADRUPLING, SAWTOOTH])


@settings(max_examples=10)
@given(first=factors, second=factors, delay=st.integers(0, 40))
def test_stretches_grow_or_shrink_as_the_certificate_says(
    first: Single, second: Single, delay: int
) -> None:
    """Sums over [4^k, 4^(k + 1)) of a product: they refute a wrong exponent, and prove nothing."""
    schedule = Multiplied(first, Joined(CONSTANT, delay, second))
    found = certificate(schedule)
    a = np.array([float(schedule.value(t)) for t in range(64, 4096)])
    for terms, diverges in ((a, found.sum_diverges), (a * a, not found.squares_converge)):
        early, late = float(terms[:192].sum()), float(terms[-3072:].sum())
        if diverges:
            # The least growth is that of 1 / t, none; cycles may turn a factor of 4 either way.
            assert late >= early / 4
        elif early > 0:
            # The fastest decay that is not summable is excluded by a factor of 4^(1 / 4) a stretch.
            assert late <= 4 * early


PERIODIC = (
    BOUNCING,
    BLINKING,
    SAWTOOTH,
    one("warm_restarts", growth=1),
    one("polynomial", after="cycle", power=2.5, total_steps=7),
)


@pytest.mark.parametrize("schedule", PERIODIC)
def test_what_recurs_recurs(schedule: Single) -> None:
    """a_{t + k period} >= a_t (t / (t + k period))^p, to the rounding of both values."""
    c = schedule.certificate()
    assert isinstance(c, BoundedBelow | PowerLaw | GeometricCycles)
    p, start, period = 0.0, 0, 1
    if isinstance(c, GeometricCycles):
        period = c.length
    else:
        start, period = c.start, c.period
        p = float(c.p) if isinstance(c, PowerLaw) else 0.0
    for t in range(start + 1, start + 1 + 3 * period):
        for k in (1, 2, 7, 100):
            later = t + k * period
            due = float(schedule.value(t)) * (t / later) ** p
            assert float(schedule.value(later)) >= due * (1 - 2.0**-30) - 2.0**-60


@pytest.mark.parametrize("schedule", [DOUBLING, QUADRUPLING, TRIPLING])
def test_cycles_are_large_in_any_first_share(schedule: Single) -> None:
    """a_t >= peak decay^i (1 - x)^2 / 2 in the first share x of cycle i."""
    c = schedule.certificate()
    assert isinstance(c, GeometricCycles)
    start, length = 0, c.length
    for i in range(6):
        for t in range(length):
            least = c.peak * float(c.decay) ** i * (1 - t / length) ** 2 / 2
            assert float(schedule.value(start + t)) >= least
        start, length = start + length, length * c.growth


def test_orders_of_exponents_are_exact() -> None:
    """Rational sums, logarithms to commensurable bases, and irrational ones to sixty digits."""
    half, two_thirds = Exponent(Fraction(1, 2)), Exponent(Fraction(2, 3))
    assert order([half, half], 1) == 0
    assert order([half], 1) == -1
    assert order([half, two_thirds], 1) == 1
    # -ln(1/2) / ln 4 = 1 / 2 and -ln(1/8) / ln 4 = 3 / 2, exactly.
    assert order([Exponent(growth=4, decay=Fraction(1, 2)), half], 1) == 0
    assert order([Exponent(growth=4, decay=Fraction(1, 8))], Fraction(3, 2)) == 0
    # 0.3 and its complement to 1/2: irrational each, and their product is no longer.
    parts = [Exponent(growth=2, decay=Fraction(3, 10)), Exponent(growth=2, decay=Fraction(5, 3))]
    assert order(parts, 1) == 0
    assert order([Exponent(growth=2, decay=Fraction(3, 10))], 1) == 1
    near = Fraction(1, 2) + Fraction(1, 2**60)
    assert order([Exponent(growth=2, decay=near)], 1) == -1
    # 0.6309... and 0.4306...
    apart = [Exponent(growth=g, decay=Fraction(1, 2)) for g in (3, 5)]
    assert [order(apart, Fraction(n, 100)) for n in (106, 107)] == [1, -1]
    assert float(Exponent(Fraction(1, 4), 4, Fraction(1, 2))) == 0.75
