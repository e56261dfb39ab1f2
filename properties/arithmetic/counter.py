"""The step counter, an integer that every arithmetic recognizes."""

from __future__ import annotations


class Counter(int):
    """The step counter: functions of it are computed in the arithmetic's counter format."""

    __slots__ = ()

    def __add__(self, other: int) -> Counter:
        return Counter(int(self) + other) if isinstance(other, int) else NotImplemented

    def __sub__(self, other: int) -> Counter:
        return Counter(int(self) - other) if isinstance(other, int) else NotImplemented
