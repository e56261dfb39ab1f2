"""The families of a schedule's cases: what each varies, and how many examples it tries."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from truestep.fast.protocol import ScheduleCapability
from truestep.properties.kinds.kind import Family
from truestep.properties.kinds.schedule import cases
from truestep.properties.kinds.schedule.cases import Fields, ScheduleCase
from truestep.reference.declared import Hyper
from truestep.reference.schedules import SCHEDULES

Cases = st.SearchStrategy[ScheduleCase]


def _cases(
    capability: ScheduleCapability,
    steps: Callable[[Hyper, list[int]], tuple[int, ...]],
    **kinds: bool,
) -> Cases:
    module = SCHEDULES[capability.rule]
    extra = st.lists(st.one_of(st.integers(0, 70), st.integers(0, 1200)), max_size=3)

    def made(fields: Fields, more: list[int]) -> ScheduleCase:
        return ScheduleCase(fields, steps(module.Hyper(**fields), more))

    return st.builds(made, cases.hypers(capability, **kinds), extra)


def _values(capability: ScheduleCapability) -> Cases:
    return _cases(capability, lambda h, more: cases.edges(h, more, cases.reach(capability)))


def _degenerate(capability: ScheduleCapability) -> Cases:
    def steps(hyper: Hyper, more: list[int]) -> tuple[int, ...]:
        return cases.edges(hyper, more, cases.reach(capability))

    return _cases(capability, steps, degenerate=True)


def _past_the_end(capability: ScheduleCapability) -> Cases:
    return _cases(capability, lambda h, _: cases.past(h, cases.reach(capability)))


def _every_step(capability: ScheduleCapability) -> Cases:
    def steps(hyper: Hyper, more: list[int]) -> tuple[int, ...]:
        return tuple(range(min(2 * cases.end(hyper), 100) + 2))

    return _cases(capability, steps)


# Numbers of examples: what fits the time of each level on two cores, not part of any contract.
FAMILIES: dict[str, Family[ScheduleCapability, ScheduleCase]] = {
    "degenerate": Family(
        "phases of no length or one step, equal ends, factors of one",
        _degenerate,
        {"smoke": 3, "standard": 20, "deep": 400},
    ),
    "every_step": Family(
        "whole runs, step by step", _every_step, {"smoke": 1, "standard": 4, "deep": 100}
    ),
    "past_the_end": Family(
        "from the end on, and far beyond", _past_the_end, {"smoke": 3, "standard": 15, "deep": 300}
    ),
    "values": Family(
        "the joints of phases with their neighbours",
        _values,
        {"smoke": 4, "standard": 25, "deep": 800},
    ),
}
