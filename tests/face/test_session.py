"""The fixture `truestep`, as a user's test gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from truestep.fast.protocol import Capability, ScheduleCapability
from truestep.session import Session
from truestep.testing import BeyondContract

if TYPE_CHECKING:
    from collections.abc import Sequence


class Constant:
    """The schedule that does not move."""

    name = "constants"
    factor = 1.0

    def capabilities(self) -> list[Capability]:
        return [ScheduleCapability(rule="constant", format="float64", arithmetic="ieee_float64")]

    def schedule_values(self, capability: Capability, hyper: Any, steps: Sequence[int]) -> Any:
        return np.full(len(steps), self.factor * hyper.lr)


class Wrong(Constant):
    """And one that is off by half."""

    factor = 1.5


SMOKE = Session(("cpu",), "smoke", 0, None, None)


def test_the_fixture_judges_a_step(truestep: Session) -> None:
    """One line, with the options of the run at hand."""
    p = np.ones(3, np.float32)
    truestep.assert_step("sgd", {"lr": 0.5}, {"p": p, "g": p}, {"p": p / 2})
    with pytest.raises(BeyondContract):
        truestep.assert_step("sgd", {"lr": 0.5}, {"p": p, "g": p}, {"p": p})
    assert truestep.level in ("smoke", "standard", "deep") and truestep.backends


def test_a_backend_conforms_or_its_counterexample_is_told() -> None:
    """Every check that matches, in one test."""
    found = SMOKE.assert_conforms(Constant(), only="values")
    assert [result.verdict for result in found] == ["pass"]
    with pytest.raises(AssertionError) as raised:
        SMOKE.assert_conforms(Wrong, only="schedule/constant/float64/*s")
    told = str(raised.value).splitlines()
    assert told[0] == "2 of 4 checks do not pass"
    assert "schedule/constant/float64/values: fail" in told
    assert any("due is" in line for line in told)


def test_limits_are_kept() -> None:
    """So many cases and no more; a check that runs out of time is no pass."""
    few = Session((), "standard", 0, max_examples=2, timeout=None)
    assert [result.examples for result in few.assert_conforms(Constant(), only="values")] == [2]
    late = Session((), "smoke", 0, max_examples=None, timeout=1e-9)
    with pytest.raises(AssertionError, match="out of time after 1e-09 s; cases tried: 1; none"):
        late.assert_conforms(Constant(), only="values")
