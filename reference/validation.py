"""Checks shared by every reference; each error shows the value and the limit it broke."""

import math
import operator
from typing import Any, TypeAlias

# A reference runs on numpy.ndarray of float64 and, through NumPy's dispatch protocols, on the
# arrays of truestep.properties.arithmetic. No static type describes all of them.
Array: TypeAlias = Any


def number(field: str, value: object) -> float:
    """The field's value as a float; raise unless it is a finite real number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{field} must be a real number, got {value!r} ({type(value).__name__})")
    if not math.isfinite(value):
        raise ValueError(f"{field} must be finite, got {value!r}")
    return float(value)


def integer(field: str, value: object, low: int) -> None:
    """Raise unless the field's value is an integer >= low."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{field} must be an integer, got {value!r} ({type(value).__name__})")
    if value < low:
        raise ValueError(f"{field} must be >= {low}, got {value!r}")


def require_ordered(owner: object, low: str, high: str) -> None:
    """Raise unless the field named low holds at most what the field named high holds."""
    if not (small := getattr(owner, low)) <= (large := getattr(owner, high)):
        raise ValueError(f"{low} must be <= {high}, got {small!r} > {large!r}")


def require_step(t: int) -> int:
    """t as a Python integer, which never overflows; raise unless it is an integer >= 0.

    A subclass of int stays what it is: the arithmetics of truestep.properties count with their own.
    """
    if isinstance(t, bool) or not hasattr(t, "__index__"):
        raise TypeError(f"t must be an integer, got {t!r} ({type(t).__name__})")
    if (step := t if isinstance(t, int) else operator.index(t)) < 0:
        raise ValueError(f"t must be >= 0, got {t!r}")
    return step
