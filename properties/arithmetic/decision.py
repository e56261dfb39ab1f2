"""Three-valued outcomes of comparisons between error-carrying arrays."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray


class Undecided(ArithmeticError):
    """A Python branch depends on a comparison that rounding may turn either way."""


Result = TypeVar("Result")

# The outcomes that `every_branch` prescribes to the open comparisons it meets, and how many it met.
_prescribed: ContextVar[tuple[list[bool], list[int]] | None] = ContextVar(
    "prescribed", default=None
)


def every_branch(compute: Callable[[], Result], most: int = 64) -> list[Result]:
    """compute() along every path that open comparisons of scalars allow a faithful kernel.

    Raises Undecided where there are more than `most` paths.
    """
    results: list[Result] = []
    waiting: list[list[bool]] = [[]]
    while waiting:
        path, met = waiting.pop(), [0]
        token = _prescribed.set((path, met))
        try:
            results.append(compute())
        finally:
            _prescribed.reset(token)
        # The run took the first outcome, True, at every comparison beyond its prescribed path.
        for taken in range(len(path), met[0]):
            waiting.append([*path, *[True] * (taken - len(path)), False])
        if len(results) + len(waiting) > most:
            raise Undecided(f"rounding opens more than {most} paths")
    return results


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Masks of one shape: yes, the outcome in float64; open, where a faithful kernel may differ."""

    yes: NDArray[np.bool_]
    open: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the masks."""
        return np.shape(self.yes)

    def __and__(self, other: Decision | NDArray[np.bool_] | bool) -> Decision:
        b = _decided(other)
        certainly_no = (~self.yes & ~self.open) | (~b.yes & ~b.open)
        return Decision(self.yes & b.yes, (self.open | b.open) & ~certainly_no)

    def __or__(self, other: Decision | NDArray[np.bool_] | bool) -> Decision:
        return ~(~self & ~_decided(other))

    __rand__ = __and__
    __ror__ = __or__

    def __invert__(self) -> Decision:
        return Decision(~self.yes, self.open)

    def __bool__(self) -> bool:
        """The outcome of a comparison of scalars; Undecided is raised where it is open."""
        if np.size(self.yes) != 1:
            raise TypeError("the truth of several comparisons is not defined: use numpy.where")
        if np.any(self.open):
            if (prescribed := _prescribed.get()) is not None:
                path, met = prescribed
                met[0] += 1
                return path[met[0] - 1] if met[0] <= len(path) else True
            raise Undecided("rounding may turn this comparison either way")
        return bool(np.all(self.yes))


def _decided(x: Decision | NDArray[np.bool_] | bool) -> Decision:
    if isinstance(x, Decision):
        return x
    yes = np.asarray(x, dtype=bool)
    return Decision(yes, np.zeros_like(yes))
