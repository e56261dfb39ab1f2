"""What a search adds up stays consistent, in whichever order a backend's faults come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.contracts import Judged, not_judged
from truestep.properties.judge.results import HISTOGRAM_EDGES, SLACK
from truestep.properties.judge.tally import ContractBroken, Tally
from truestep.properties.kinds.kind import Seeded


def _judged(utilisation: float, tensor: str = "p", share: float = 0.0) -> Judged:
    histogram = np.zeros(len(HISTOGRAM_EDGES) + 1, dtype=np.int64)
    histogram[np.searchsorted(HISTOGRAM_EDGES, utilisation)] = 1
    found = replace(
        not_judged(1), judged=1, utilisation=utilisation, histogram=histogram, oracle_fraction=share
    )
    return Judged(0, 0, 0, tensor, found)


def test_a_number_that_fails_after_another_fault_is_counted() -> None:
    """The histogram ends where the utilisation does, though counting had stopped."""
    tally, case = Tally(), Seeded(0)
    tally.add(case, [_judged(0.3)], None)
    tally.blame(case, BackendFault("t is 3"))
    assert tally.failed and not tally.crashed and tally.message == "t is 3"
    assert (tally.worst, tally.worst_case) == (None, case)
    for utilisation in (9.0, 7.0):
        with pytest.raises(ContractBroken):
            tally.add(case, [_judged(utilisation)], None)
    assert tally.utilisation == 7.0 and tally.histogram[-1] == 1
    assert (tally.elements, tally.judged) == (2, 2) and not tally.message


def test_the_worst_of_what_passed_is_kept_with_its_case() -> None:
    """The first of equal ones; what nothing is known of is counted and is never the worst."""
    tally = Tally()
    first, second, third = _judged(0.3), _judged(0.9, "m", 0.25), _judged(0.9, "v", 0.125)
    unknown = Judged(0, 0, 0, "v", not_judged(5))
    for seed, item in enumerate((unknown, first, second, third, _judged(0.1))):
        tally.add(Seeded(seed), [item], f"context {seed}")
    assert (tally.utilisation, tally.worst, tally.worst_case) == (0.9, second, Seeded(2))
    assert (tally.context, tally.failed, tally.oracle_fraction) == ("context 2", False, 0.25)
    assert (tally.elements, tally.judged) == (9, 4)
    assert dict(tally.by_tensor) == {"v": 1, "p": 2, "m": 1}
    assert tally.histogram.sum() == 4


def test_a_tensor_without_elements_counts_as_one_that_was_judged() -> None:
    """There is nothing in it that could be wrong."""
    tally = Tally()
    tally.add(Seeded(0), [Judged(0, 0, 0, "p", not_judged(0))], None)
    assert (tally.by_tensor["p"], tally.elements, tally.judged) == (1, 0, 0)


def test_the_slack_itself_passes_and_the_first_beyond_ends_the_search() -> None:
    """What follows it in the same step is not counted; its case, tensor and step are told."""
    tally = Tally()
    tally.add(Seeded(0), [_judged(SLACK)], "before")
    assert not tally.failed
    beyond, later = _judged(2.5, "m"), _judged(7.0, "v")
    with pytest.raises(ContractBroken, match=r"m: utilisation 2\.5"):
        tally.add(Seeded(1), [_judged(0.5), beyond, later], "then")
    assert tally.failed
    assert (tally.utilisation, tally.worst, tally.worst_case) == (2.5, beyond, Seeded(1))
    assert (tally.context, tally.judged, tally.histogram[-1]) == ("then", 3, 1)


def test_nothing_is_counted_after_a_failure_and_simpler_failures_replace_it() -> None:
    """The search goes on among smaller cases: the last that fails is told."""
    tally = Tally()
    for utilisation in (5.0, 3.0):
        with pytest.raises(ContractBroken):
            tally.add(Seeded(int(utilisation)), [_judged(utilisation)], None)
    tally.add(Seeded(9), [_judged(1.0, share=0.5)], None)
    assert (tally.utilisation, tally.worst_case, tally.judged) == (3.0, Seeded(3), 1)
    assert tally.oracle_fraction == 0.0


def test_an_exception_of_the_backend_s_is_told_from_a_wrong_result() -> None:
    """It has raised, and its last line is the message."""
    tally, case = Tally(), Seeded(4)
    raised = BackendRaised("ValueError: no such thing")
    tally.blame(case, raised)
    assert tally.failed and tally.crashed
    assert (tally.message, tally.worst, tally.worst_case) == (str(raised), None, case)
    with pytest.raises(ContractBroken):
        tally.add(Seeded(5), [_judged(9.0)], None)
    assert not tally.crashed and tally.worst_case == Seeded(5)
