"""Integers of a schedule, exact among themselves; what else they meet becomes error-carrying."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.reference.validation import Array

Operation = Callable[[Array, Array], Array]


def counted(x: int, arithmetic: Arithmetic) -> Bounded:
    """x in the arithmetic's counter format: rounded where that has too few digits."""
    where = format_named(arithmetic.counter)
    v = np.asarray(float(x))
    e = np.asarray(float(abs(x - int(v))))
    e = np.where((e == 0) & where.represents(v), 0.0, e + where.u * np.abs(v) + where.eta)
    return Bounded(v, e, arithmetic, where, nonnegative=x >= 0, host=True)


def _integers(operation: Operation) -> tuple[Operation, Operation]:
    """An operation exact among integers, and the same with its operands exchanged."""

    def met(self: Whole, a: Array, b: Array) -> Array:
        if isinstance(a, int) and isinstance(b, int):
            return Whole(operation(int(a), int(b)), self.number)
        return self.rounded(operation, a, b)

    return lambda self, other: met(self, self, other), lambda self, other: met(self, other, self)


class Whole(Counter):
    """A step count or a length of a schedule.

    Sums, products, floors and remainders of integers are exact in every host language and stay
    Whole. A quotient without remainder is exact too: IEEE 754 rounds a representable one to itself.
    For any other quotient and for a power, both operands first become numbers of an arithmetic, by
    number(int).
    """

    number: Callable[[int], Array]

    def __new__(cls, x: int, number: Callable[[int], Array]) -> Whole:
        """x as an integer whose quotients are made of such numbers."""
        made = super().__new__(cls, x)
        made.number = number
        return made

    __add__, __radd__ = _integers(operator.add)
    __floordiv__, __rfloordiv__ = _integers(operator.floordiv)
    __mod__, __rmod__ = _integers(operator.mod)
    __mul__, __rmul__ = _integers(operator.mul)
    __sub__, __rsub__ = _integers(operator.sub)

    def __neg__(self) -> Whole:
        return Whole(-int(self), self.number)

    def __divmod__(self, other: Array) -> Array:
        return self // other, self % other

    def __truediv__(self, other: Array) -> Array:
        return self._quotient(self, other)

    def __rtruediv__(self, other: Array) -> Array:
        return self._quotient(other, self)

    def __pow__(self, other: Array, _: object = None) -> Array:
        return self.rounded(operator.pow, self, other)

    def _quotient(self, a: Array, b: Array) -> Array:
        if isinstance(a, int) and isinstance(b, int) and int(b) and int(a) % int(b) == 0:
            return self.number(int(a) // int(b))
        return self.rounded(operator.truediv, a, b)

    def rounded(self, operation: Operation, a: Array, b: Array) -> Array:
        """The operation on numbers of an arithmetic."""
        if not all(isinstance(x, (int, float)) or hasattr(x, "__array_ufunc__") for x in (a, b)):
            return NotImplemented
        return operation(*(self.number(int(x)) if isinstance(x, int) else x for x in (a, b)))
