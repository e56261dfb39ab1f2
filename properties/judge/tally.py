"""What the cases of one check showed, counted as they are judged."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.results import HISTOGRAM_EDGES, SLACK


class Case(Protocol):
    """A drawn or listed case: equal to what its record is read back to."""

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts, and from which the case is restored exactly."""
        ...


class ContractBroken(AssertionError):
    """An element lies farther from the oracle than any faithful kernel may put it."""


# What ends a search: a judgement beyond the slack, or the backend's own fault.
FAILURES = (ContractBroken, BackendFault, BackendRaised)


@dataclass(slots=True)
class Tally:
    """What the cases of one check showed; counting stops at the first failure.

    worst, worst_case, context: the judgement of largest utilisation, its case, and what the kind
    remembers of the step that it belongs to. latest: what it remembers of the last one. extra: what
    the kind adds to the record.
    """

    examples: int = 0
    elements: int = 0
    judged: int = 0
    utilisation: float | None = None
    oracle_fraction: float = 0.0
    histogram: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(HISTOGRAM_EDGES) + 1, dtype=np.int64)
    )
    worst_case: Case | None = None
    worst: Judged | None = None
    context: object = None
    latest: object = None
    failed: bool = False
    crashed: bool = False
    message: str = ""
    extra: dict[str, object] = field(default_factory=dict)
    # Of every tensor, how many of its elements were judged.
    by_tensor: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, found: Iterable[Judged], context: object) -> None:
        """Count judgements of a case; raise ContractBroken at one beyond the slack."""
        for item in found:
            j = item.judgement
            beyond = j.utilisation is not None and j.utilisation > SLACK
            # A failure that was none of numbers may be followed by one that is.
            if not self.failed or (beyond and not self.histogram[-1]):
                self._count(item)
            if j.utilisation is None:
                continue
            if beyond:
                self.failed = True
                self.utilisation = j.utilisation
                self.worst_case, self.worst, self.context = case, item, context
                self.crashed, self.message = False, ""
                raise ContractBroken(f"{item.tensor}: utilisation {j.utilisation:.3g}")
            if not self.failed and (self.utilisation is None or j.utilisation > self.utilisation):
                self.utilisation = j.utilisation
                self.worst_case, self.worst, self.context = case, item, context

    def _count(self, item: Judged) -> None:
        j = item.judgement
        self.elements += j.elements
        self.judged += j.judged
        self.by_tensor[item.tensor] += j.judged if j.elements else 1
        self.histogram += j.histogram
        self.oracle_fraction = max(self.oracle_fraction, j.oracle_fraction)

    def blame(self, case: Case, fault: BackendFault | BackendRaised) -> None:
        """Record that a case ended with the backend's own fault."""
        self.failed, self.worst, self.worst_case = True, None, case
        self.crashed = isinstance(fault, BackendRaised)
        self.message = str(fault)
