"""Choices read off bytes, so that Hypothesis draws a whole tensor, or a whole case, at once.

Drawing every part by itself took half of the suite's time. Hypothesis simplifies bytes towards 0,
and so every choice towards its first value.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

Item = TypeVar("Item")


class Dice:
    """A row of bytes, read once from left to right; behind its end there are zeros."""

    def __init__(self, row: bytes) -> None:
        self.row = row
        self.at = 0

    def number(self, width: int = 1) -> int:
        """The next bytes as one number."""
        start, self.at = self.at, self.at + width
        return int.from_bytes(self.row[start : self.at].ljust(width, b"\0"), "big")

    def flip(self) -> bool:
        """Yes or no; no for 0."""
        return self.number() % 2 == 1

    def one_of(self, values: Sequence[Item]) -> Item:
        """One of the values, the first for 0."""
        return values[self.number() % len(values)]

    def between(self, low: int, high: int) -> int:
        """An integer of low..high; for 0 the nearest to 0, the negative ones last."""
        k = self.number(1 if high - low < 256 else 3) % (high - low + 1)
        if not low < 0 <= high:
            return low + k
        return k if k <= high else high - k


def rolled(width: int, make: Callable[[Dice], Item]) -> st.SearchStrategy[Item]:
    """What make reads off so many bytes."""
    return st.binary(min_size=width, max_size=width).map(lambda row: make(Dice(row)))


def by_seed(width: int, make: Callable[[Dice], Item]) -> Callable[[int], Item]:
    """What make reads off so many bytes that a seed decides."""
    return lambda seed: make(Dice(np.random.default_rng(seed).bytes(width)))


def independent(made: Callable[[int], Item]) -> st.SearchStrategy[Item]:
    """What is made of a seed.

    Hypothesis varies an example by copying parts of it over others, which finds and simplifies
    corners well; but of forty examples many then share count, shape and hyperparameters, and a
    combination such as a dampened first step of a 0-d tensor may be absent. Such cases are replayed
    exactly, but not simplified: a smaller seed is another case, not a simpler one.
    """
    return st.integers(0, 2**32 - 1).map(made)
