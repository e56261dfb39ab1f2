"""What one check may cost: cases and seconds."""

import time
from dataclasses import dataclass

from truestep.properties.judge.tally import Tally


class OutOfTime(BaseException):
    """Ends a search in which nothing has failed yet: Hypothesis catches exceptions of other kinds.

    cases: how many were tried.
    """

    def __init__(self, cases: int) -> None:
        super().__init__(str(cases))
        self.cases = cases


@dataclass(frozen=True, slots=True)
class Budget:
    """cases: the most that are tried. seconds: after which a check that has not failed is open.

    None: as many as the level asks for, and however long they take. The clock is looked at before
    each case and after the last: what a case takes is not cut short.
    """

    cases: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.cases is not None and self.cases < 1:
            raise ValueError(f"max_examples must be at least 1, got {self.cases}")
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"timeout must be more than 0 seconds, got {self.seconds:g}")

    def of(self, cases: int) -> int:
        """How many cases are tried where the level asks for so many."""
        return cases if self.cases is None else min(cases, self.cases)

    def begin(self) -> "Clock":
        """Start the clock of one check."""
        end = None if self.seconds is None else time.monotonic() + self.seconds
        return Clock(end)


@dataclass(frozen=True, slots=True)
class Clock:
    """end: when the time is up, as time.monotonic tells it; None for never."""

    end: float | None = None

    def look(self, tally: Tally) -> None:
        """Raise OutOfTime where the time is up and nothing has failed."""
        if self.end is not None and not tally.failed and time.monotonic() > self.end:
            raise OutOfTime(tally.examples)


UNLIMITED = Budget()
