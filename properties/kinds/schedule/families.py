"""The families of a schedule's cases: what each varies, and how many examples it tries."""

from collections.abc import Callable

from hypothesis import strategies as st

from truestep.fast.protocol import ScheduleCapability
from truestep.properties.kinds.kind import Family, examples
from truestep.properties.kinds.schedule import cases
from truestep.properties.kinds.schedule.cases import Fields, ScheduleCase
from truestep.reference.declared import Hyper
from truestep.reference.schedules import SCHEDULES

Steps = Callable[[Hyper, list[int], int], tuple[int, ...]]


def _of(
    steps: Steps, *, degenerate: bool = False
) -> Callable[[ScheduleCapability], st.SearchStrategy[ScheduleCase]]:
    """Drawn hyperparameters, and steps(hyper, some steps drawn besides, the last allowed)."""

    def strategy(capability: ScheduleCapability) -> st.SearchStrategy[ScheduleCase]:
        module, most = SCHEDULES[capability.rule], cases.reach(capability)
        extra = st.lists(st.one_of(st.integers(0, 70), st.integers(0, 1200)), max_size=3)

        def made(fields: Fields, more: list[int]) -> ScheduleCase:
            return ScheduleCase(fields, steps(module.Hyper(**fields), more, most))

        return st.builds(made, cases.hypers(capability, degenerate=degenerate), extra)

    return strategy


FAMILIES: dict[str, Family[ScheduleCapability, ScheduleCase]] = {
    "degenerate": Family(
        "phases of no length or one step, equal ends, factors of one",
        _of(cases.edges, degenerate=True),
        examples(3, 12, 400),
    ),
    "every_step": Family(
        "whole runs, step by step",
        _of(lambda hyper, *_: tuple(range(min(2 * cases.end(hyper), 100) + 2))),
        examples(1, 4, 100),
    ),
    "past_the_end": Family(
        "from the end on, and far beyond",
        _of(lambda hyper, _, most: cases.past(hyper, most)),
        examples(3, 15, 300),
    ),
    "values": Family(
        "the joints of phases with their neighbours", _of(cases.edges), examples(4, 16, 800)
    ),
}
