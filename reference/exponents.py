"""Exponents of decay, and the exact order of their sums: rational ones and quotients of logarithms.

A schedule of geometric cycles, growth^i steps of size decay^i, falls like t^-p with the exponent
p = -ln decay / ln growth, which may be irrational. Whether a sum of exponents is 1 decides whether
a series converges, so it is decided in whole numbers, never by rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from math import lcm

# Digits to which logarithms are computed where no exact argument settles the order.
_DIGITS = 60


@dataclass(frozen=True, slots=True)
class Exponent:
    """power - ln decay / ln growth; growth = 1 and decay = 1 where there is no logarithm."""

    power: Fraction = Fraction(0)
    growth: int = 1
    decay: Fraction = Fraction(1)

    def __float__(self) -> float:
        return float(self.power) + float(_quotient(self.growth, self.decay))


def order(exponents: Sequence[Exponent], bound: Fraction | int) -> int:
    """The sign of their sum less the bound: -1, 0 or 1."""
    rest = Fraction(bound) - sum((e.power for e in exponents), Fraction(0))
    # Logarithms to bases that are powers of one number are one logarithm of a rational number.
    groups: dict[int, list[tuple[int, Fraction]]] = {}
    for e in exponents:
        if e.decay != 1:
            base, power = _root(e.growth)
            groups.setdefault(base, []).append((power, e.decay))
    irrational = []
    for base, parts in groups.items():
        whole = lcm(*(power for power, _ in parts))
        product = Fraction(1)
        for power, decay in parts:
            product *= decay ** (whole // power)
        exact = _logarithm(base, product)
        if exact is None:
            irrational.append((base, product, whole))
        else:
            rest += Fraction(exact, whole)
    if not irrational:
        return (rest < 0) - (rest > 0)
    # A sum of irrational quotients over different bases has never been seen to be rational; sixty
    # digits tell it from the bound.
    with localcontext() as context:
        context.prec = 2 * _DIGITS
        total = sum((_quotient(b, p) / whole for b, p, whole in irrational), Decimal(0))
        gap = total - Decimal(rest.numerator) / Decimal(rest.denominator)
        if abs(gap) < Decimal(10) ** -_DIGITS:
            raise ArithmeticError(f"the exponents {exponents!r} meet {bound} to {_DIGITS} digits")
        return 1 if gap > 0 else -1


def _quotient(growth: int, decay: Fraction) -> Decimal:
    """-ln decay / ln growth, 0 where decay is 1."""
    if decay == 1:
        return Decimal(0)
    logarithm = Decimal(decay.numerator).ln() - Decimal(decay.denominator).ln()
    return -logarithm / Decimal(growth).ln()


def _root(growth: int) -> tuple[int, int]:
    """The least base of which growth is a power, and the power."""
    for power in range(growth.bit_length(), 1, -1):
        base = round(growth ** (1 / power))
        if base > 1 and base**power == growth:
            return base, power
    return growth, 1


def _logarithm(base: int, x: Fraction) -> int | None:
    """The whole number k with base^k = x, if there is one."""
    k = 0
    while x.numerator % base == 0:
        x, k = x / base, k + 1
    while x.denominator % base == 0:
        x, k = x * base, k - 1
    return k if x == 1 else None
