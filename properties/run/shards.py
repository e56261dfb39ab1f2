"""Parts of a run: which of a backend's checks one of several machines runs.

A part is a pure function of the backend's checks, of the part's number and of recorded seconds, so
that machines which know nothing of one another share a run without a gap or an overlap. Checks that
are alike stay together: one evaluation serves them all, and where the same case fails two of them,
the second is shown by the first one's simpler case.
"""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapreplace
from statistics import fmean

from truestep.properties.judge.results import Check
from truestep.properties.run import conduct
from truestep.properties.run.choosing import alike

# What takes a part of a run's checks; that of the backend's conduct is about each part's processes.
Part = Callable[[Sequence[Check]], list[Check]]


@dataclass(frozen=True, slots=True)
class Shard:
    """Part number index, from 1, of so many; seconds: recorded, by the id of a check."""

    index: int
    of: int
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.of:
            raise ValueError(f"a shard is i/n with 1 <= i <= n; got {self.index}/{self.of}")

    def __call__(self, checks: Sequence[Check]) -> list[Check]:
        """The checks of this part, in the order of the run."""
        return [*dealt(checks, self.of, self.seconds)[self.index - 1], *_of_conduct(checks)]


@dataclass(frozen=True, slots=True)
class Named:
    """The checks with these ids."""

    ids: frozenset[str]

    def __call__(self, checks: Sequence[Check]) -> list[Check]:
        """The checks of this part, in the order of the run."""
        return [check for check in checks if check.id in self.ids or check.kind == conduct.KIND]


def dealt(checks: Sequence[Check], of: int, seconds: Mapping[str, float]) -> list[list[Check]]:
    """The checks, but that of conduct, in so many parts of about the same seconds.

    The longest of those that are alike goes first, each to the part that has least so far.
    """
    groups: dict[Hashable, list[Check]] = {}
    for check in checks:
        if check.kind != conduct.KIND:
            groups.setdefault(alike(check), []).append(check)
    known = expected(checks, seconds)
    costs = [sum(known[check.id] for check in group) for group in groups.values()]
    members = list(groups.values())
    parts = [list[int]() for _ in range(of)]
    # Seconds, groups and number of each part, that with the least first.
    least = [(0.0, 0, part) for part in range(of)]
    for number in sorted(range(len(members)), key=lambda k: (-costs[k], k)):
        seconds_so_far, groups_so_far, part = least[0]
        heapreplace(least, (seconds_so_far + costs[number], groups_so_far + 1, part))
        parts[part].append(number)
    return [[check for number in sorted(part) for check in members[number]] for part in parts]


def expected(checks: Sequence[Check], seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of every check: as recorded, or the mean of its family, of all, or 1."""
    recorded: dict[str, list[float]] = {}
    for check in checks:
        if check.id in seconds:
            recorded.setdefault(f"{check.kind}/{check.name}", []).append(seconds[check.id])
    mean = fmean(x for found in recorded.values() for x in found) if recorded else 1.0
    return {
        check.id: seconds.get(check.id, fmean(recorded.get(f"{check.kind}/{check.name}", [mean])))
        for check in checks
    }


def fingerprint(ids: Sequence[str]) -> str:
    """SHA-256 of the ids of a whole run's checks, in hex."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def _of_conduct(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.kind == conduct.KIND]
