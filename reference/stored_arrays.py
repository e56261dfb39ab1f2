"""What a format keeps beside its codes: each array's format and shape."""

from dataclasses import dataclass

from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Stored:
    """One array. codes: its values are the integers from least on, so many; 0 of numbers."""

    dtype: Array
    shape: tuple[int, ...]
    codes: int = 0
    least: int = 0
