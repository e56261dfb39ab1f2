"""The kernels of schedules: all there are, what they read, and what they refuse."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from truestep.fast import _core
from truestep.fast.ours import schedule_kernels
from truestep.reference.rules import Departure
from truestep.reference.schedules import SCHEDULES, chebyshev, multi_step, one_cycle


def test_every_schedule_has_a_kernel_that_reads_its_fields() -> None:
    """A header for each of the reference's, with all fields of its Hyper in their order or not.

    But for choices that are departures all but one.
    """
    found = {name: set(read) for name, (_, read) in schedule_kernels.schedules().items()}
    due = {name: {f.name for f in fields(m.Hyper)} for name, m in SCHEDULES.items()}
    for name, module in SCHEDULES.items():
        for field, meanings in module.DIALECTS.items():
            if sum(not isinstance(told, Departure) for told in meanings.values()) == 1:
                due[name].remove(field)
    assert found == due


def test_a_departure_is_refused() -> None:
    """No kernel of ours computes one, and none takes it for the rule's own form."""
    assert all("late" not in c.dialect.values() for c in schedule_kernels.capabilities())
    with pytest.raises(ValueError, match="no kernel of chebyshev with start = 'late'"):
        schedule_kernels.values("chebyshev", chebyshev.Hyper(start="late"), [0])


@pytest.mark.parametrize("rule", SCHEDULES)
def test_the_far_end_is_reached(rule: str) -> None:
    """The last step of a 32-bit counter has the reference's value, within a few roundings."""
    choice = {"after": "hold"} if rule == "one_cycle" else {}
    h = SCHEDULES[rule].Hyper(**choice)
    due = [float(SCHEDULES[rule].value(h, t)) for t in (0, 2**31 - 2)]
    np.testing.assert_allclose(schedule_kernels.values(rule, h, [0, 2**31 - 2]), due, rtol=1e-12)


@pytest.mark.parametrize("milestones", [(), (0,), (5, 5, 5), tuple(range(100))])
def test_milestones_follow_their_number(milestones: tuple[int, ...]) -> None:
    """A list is passed as its length and its numbers."""
    h = multi_step.Hyper(milestones=milestones)
    assert schedule_kernels.row("multi_step", h)[3:] == [len(milestones), *milestones]
    due = [float(multi_step.value(h, t)) for t in range(9)]
    np.testing.assert_allclose(schedule_kernels.values("multi_step", h, range(9)), due, rtol=1e-15)


def test_no_value_past_the_end() -> None:
    """Where the reference raises, so do the kernels; nothing is asked of no steps."""
    h = one_cycle.Hyper(total_steps=50)
    assert len(schedule_kernels.values("one_cycle", h, [])) == 0
    with pytest.raises(ValueError, match="got t = 50"):
        schedule_kernels.values("one_cycle", h, [49, 50])


def test_an_unknown_schedule_is_refused() -> None:
    """By its name, with those that there are."""
    with pytest.raises(ValueError, match="no kernel of square; there are chebyshev, constant"):
        schedule_kernels.values("square", multi_step.Hyper(), [0])


@pytest.mark.parametrize(
    ("kernel", "hyper", "steps", "values", "message"),
    [
        ("none", [], [0], 1, "there is no schedule 1000"),
        ("cosine", [1.0], [0], 1, "hyper must have 4 entries, got 1"),
        ("multi_step", [1.0, 0.5, 0.0], [0], 1, "hyper must have 4 entries, got 3"),
        ("multi_step", [1.0, 0.5, 0.0, 2.0, 7.0], [0], 1, "hyper must have 6 entries, got 5"),
        ("constant", [1.0], [3, -1], 2, r"steps\[1\] must be >= 0, got -1"),
        ("constant", [1.0], [3, 4], 1, "values must have 2 entries, got 1"),
    ],
)
def test_the_extension_checks_its_arguments(
    kernel: str, hyper: list[float], steps: list[int], values: int, message: str
) -> None:
    """Before anything is read or written."""
    place = schedule_kernels.schedules().get(kernel, (1000, ()))[0]
    with pytest.raises(ValueError, match=message):
        _core.schedule_values(
            place, np.array(hyper), np.array(steps, dtype=np.int64), np.empty(values)
        )
