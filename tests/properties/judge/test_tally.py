"""What a search adds up stays consistent, in whichever order a backend's faults come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from truestep.properties.judge.calls import BackendFault
from truestep.properties.judge.contracts import Judged, not_judged
from truestep.properties.judge.results import HISTOGRAM_EDGES
from truestep.properties.judge.tally import ContractBroken, Tally
from truestep.properties.kinds.kind import Seeded


def _judged(utilisation: float) -> Judged:
    histogram = np.zeros(len(HISTOGRAM_EDGES) + 1, dtype=np.int64)
    histogram[np.searchsorted(HISTOGRAM_EDGES, utilisation)] = 1
    found = replace(not_judged(1), judged=1, utilisation=utilisation, histogram=histogram)
    return Judged(0, 0, 0, "p", found)


def test_a_number_that_fails_after_another_fault_is_counted() -> None:
    """The histogram ends where the utilisation does, though counting had stopped."""
    tally, case = Tally(), Seeded(0)
    tally.add(case, [_judged(0.3)], None)
    tally.blame(case, BackendFault("t is 3"))
    for utilisation in (9.0, 7.0):
        with pytest.raises(ContractBroken):
            tally.add(case, [_judged(utilisation)], None)
    assert tally.utilisation == 7.0 and tally.histogram[-1] == 1
    assert (tally.elements, tally.judged) == (2, 2) and not tally.message
