"""Integers of a schedule, exact among themselves; what else they meet becomes error-carrying."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.profiles import Arithmetic


def counted(x: int, arithmetic: Arithmetic) -> Bounded:
    """x in the arithmetic's counter format: rounded where that has too few digits."""
    where = format_named(arithmetic.counter)
    v = np.asarray(float(x))
    e = np.asarray(float(abs(x - int(v))))
    e = np.where((e == 0) & where.represents(v), 0.0, e + where.u * np.abs(v) + where.eta)
    return Bounded(v, e, arithmetic, where, nonnegative=x >= 0, host=True)


class Whole(Counter):
    """A step count or a length of a schedule.

    Sums, products, floors and remainders of integers are exact in every host language and stay
    Whole. A quotient without remainder is exact too: IEEE 754 rounds a representable one to itself.
    For any other quotient and for a power, both operands first become numbers of an arithmetic, by
    number(int).
    """

    number: Callable[[int], Any]

    def __new__(cls, x: int, number: Callable[[int], Any]) -> Whole:
        """x as an integer whose quotients are made of such numbers."""
        made = super().__new__(cls, x)
        made.number = number
        return made

    def __neg__(self) -> Whole:
        return Whole(-int(self), self.number)

    def __add__(self, other: Any) -> Any:
        return self._met(operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._met(operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self._met(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._met(operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self._met(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._met(operator.mul, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._met(operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._met(operator.floordiv, other, self)

    def __mod__(self, other: Any) -> Any:
        return self._met(operator.mod, self, other)

    def __rmod__(self, other: Any) -> Any:
        return self._met(operator.mod, other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __truediv__(self, other: Any) -> Any:
        return self._quotient(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._quotient(other, self)

    def __pow__(self, other: Any, _: Any = None) -> Any:
        return self._rounded(operator.pow, self, other)

    def _met(self, operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        if isinstance(a, int) and isinstance(b, int):
            return Whole(operation(int(a), int(b)), self.number)
        return self._rounded(operation, a, b)

    def _quotient(self, a: Any, b: Any) -> Any:
        if isinstance(a, int) and isinstance(b, int) and int(b) and int(a) % int(b) == 0:
            return self.number(int(a) // int(b))
        return self._rounded(operator.truediv, a, b)

    def _rounded(self, operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        if not all(isinstance(x, (int, float)) or hasattr(x, "__array_ufunc__") for x in (a, b)):
            return NotImplemented
        return operation(*(self.number(int(x)) if isinstance(x, int) else x for x in (a, b)))
