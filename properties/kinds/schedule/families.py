"""The checks of a schedule: families of cases judged step by step, laws, and their messages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import BackendUnavailable, Capability
from truestep.properties.judge.contracts import Judgement
from truestep.properties.judge.records import Place, law_line, result_of
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.optimizer.step import BackendFault, BackendRaised, Judged
from truestep.properties.kinds.schedule import cases
from truestep.properties.kinds.schedule import robbins_monro as robbins_monro_verdicts
from truestep.properties.kinds.schedule import step as scheduling
from truestep.properties.kinds.schedule.cases import ScheduleCase
from truestep.properties.kinds.schedule.laws import LAWS, Subject
from truestep.properties.search.exploration import Tally, explore, run_all
from truestep.properties.search.identification import departures, first_that_agrees, in_words
from truestep.reference.schedules import SCHEDULES

PREFIX = "law:"
Cases = st.SearchStrategy[ScheduleCase]


@dataclass(frozen=True, slots=True)
class Family:
    """A named family of cases: what it varies, and how many examples each level tries."""

    about: str
    strategy: Callable[[Capability], Cases]
    examples: Mapping[str, int]


def _cases(
    capability: Capability, steps: Callable[[Any, list[int]], tuple[int, ...]], **kinds: bool
) -> Cases:
    module = SCHEDULES[capability.rule]
    extra = st.lists(st.one_of(st.integers(0, 70), st.integers(0, 1200)), max_size=3)

    def made(fields: dict[str, Any], more: list[int]) -> ScheduleCase:
        return ScheduleCase(fields, steps(module.Hyper(**fields), more))

    return st.builds(made, cases.hypers(capability, **kinds), extra)


def _values(capability: Capability) -> Cases:
    return _cases(capability, lambda h, more: cases.edges(h, more, cases.reach(capability)))


def _degenerate(capability: Capability) -> Cases:
    def steps(hyper: Any, more: list[int]) -> tuple[int, ...]:
        return cases.edges(hyper, more, cases.reach(capability))

    return _cases(capability, steps, degenerate=True)


def _past_the_end(capability: Capability) -> Cases:
    return _cases(capability, lambda h, _: cases.past(h, cases.reach(capability)))


def _every_step(capability: Capability) -> Cases:
    def steps(hyper: Any, more: list[int]) -> tuple[int, ...]:
        return tuple(range(min(2 * cases.end(hyper), 100) + 2))

    return _cases(capability, steps)


# Numbers of examples: what fits the time of each level on two cores, not part of any contract.
FAMILIES = {
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
_LAW_EXAMPLES = {"smoke": 1, "standard": 5, "deep": 200}
# Judged by the closed form over whole runs: the sum of all the errors of a recursion.
_DRIFT = "closed_form"


def names(capability: Capability) -> tuple[str, ...]:
    """The checks of a schedule: families of cases, then the laws."""
    drift = (_DRIFT,) if capability.recursive else ()
    return (*drift, *FAMILIES, *(PREFIX + law for law in LAWS))


def run(
    backend: Any,
    capability: Capability,
    name: str,
    *,
    level: str,
    seed: int,
    started: Callable[[Any], None],
) -> CheckResult:
    """Run one check on one capability."""
    begin = time.perf_counter()
    family = FAMILIES[
        "every_step" if name == _DRIFT else "values" if name.startswith(PREFIX) else name
    ]
    examples = _LAW_EXAMPLES if name.startswith(PREFIX) else family.examples
    tally = explore(
        family.strategy(capability),
        lambda case, t: _run_case(backend, capability, name, case, t),
        examples=examples[level],
        seed=seed,
        started=lambda case: started(case.to_json()),
    )
    told = ""
    if tally.failed and tally.worst is not None and name in FAMILIES:
        told = _identify(backend, capability, tally.worst_case, started)
    extra = _extra(backend, capability) if name == "values" else {}
    return _result(capability, name, tally, told, extra, time.perf_counter() - begin)


def replay_case(
    backend: Any, capability: Capability, name: str, record: Mapping[str, Any]
) -> CheckResult:
    """Run one recorded case again."""
    begin = time.perf_counter()
    tally = run_all(
        [ScheduleCase.from_json(record)],
        lambda case, t: _run_case(backend, capability, name, case, t),
        started=lambda _: None,
    )
    return _result(capability, name, tally, "", {}, time.perf_counter() - begin)


def _run_case(
    backend: Any, capability: Capability, name: str, case: ScheduleCase, tally: Tally
) -> None:
    subject = Subject(backend, capability, dict(case.hyper))
    try:
        if name.startswith(PREFIX):
            for claim in LAWS[name.removeprefix(PREFIX)](subject, case.steps):
                tally.add(case, [_item(claim.judged())], claim.steps)
        else:
            if name == "past_the_end":
                _require_the_end(subject, case)
            steps = subject.defined(case.steps)
            tally.add(case, [_item(_judged(subject, steps, name == _DRIFT))], steps)
    except BackendUnavailable:
        # Hyperparameters that this kernel does not take: nothing of them was judged.
        tally.elements += 0 if tally.failed else len(case.steps)


def _item(judgement: Judgement) -> Judged:
    return Judged(0, 0, 0, "lr", judgement)


def _judged(subject: Subject, steps: list[int], drift: bool = False) -> Judgement:
    if drift or not subject.capability.recursive:
        got = subject.values(steps)
        return scheduling.judged(subject.module, subject.capability, subject.hyper, steps, got)
    both = sorted({t for step in steps for t in (max(step - 1, 0), step)})
    found = dict(zip(both, subject.values(both), strict=True))
    got, last = (np.array([found[max(t - d, 0)] for t in steps]) for d in (0, 1))
    return scheduling.judged(subject.module, subject.capability, subject.hyper, steps, got, last)


def _require_the_end(subject: Subject, case: ScheduleCase) -> None:
    """Where the dialect promises an error past the end, the backend must raise one."""
    for t in case.steps:
        if t <= cases.RECURSION and scheduling.ended(subject.module, subject.hyper, t):
            try:
                got = subject.values([t])
            except BackendRaised as raised:
                if isinstance(raised.__cause__, ValueError):
                    continue
                raise
            raise BackendFault(
                f"t = {t} lies past the last step {subject.hyper.total_steps - 1}, where an error "
                f"is due; got {float(got[0])!r} with {json.dumps(case.to_json()['hyper'])}"
            )


@dataclass(frozen=True, slots=True)
class _Reading:
    """Another reading of a capability: its rule, changes of the Hyper, and a shift of the step."""

    module: ModuleType
    changes: Mapping[str, str]
    lengths: Mapping[str, int]
    shift: int = 0

    def hyper(self, fields: Mapping[str, Any]) -> Any:
        """The Hyper under this reading; ValueError where it is none."""
        known = {k: v for k, v in fields.items() if k in self.module.Hyper.__dataclass_fields__}
        longer = {name: known[name] + d for name, d in self.lengths.items()}
        return self.module.Hyper(**{**known, **longer, **self.changes})


def _identify(
    backend: Any, capability: Capability, worst: ScheduleCase, started: Callable[[Any], None]
) -> str:
    """Which other reading all values of these cases agree with; "" if none does."""
    battery = [worst, cases.pictured(capability)]
    started(worst.to_json())
    return first_that_agrees(
        lambda distance: _readings(capability, distance),
        lambda reading: all(_agrees(backend, capability, case, reading) for case in battery),
    )


def _readings(capability: Capability, distance: int) -> Iterator[tuple[str, _Reading]]:
    rule, module = capability.rule, SCHEDULES[capability.rule]
    for changes in departures(module, capability.dialect, distance):
        yield f"{rule} with {in_words(module, changes)}", _Reading(module, changes, {})
    if distance > 1:
        return
    own = module.Hyper.__dataclass_fields__
    for d, word in ((1, "early"), (-1, "late")):
        yield f"{rule} one step {word}: a(t {d:+d}) where a(t) is due", _Reading(module, {}, {}, d)
    for name in (n for n in own if n.endswith("_steps") or n in ("step_size", "steps_up")):
        for d in (1, -1):
            words = f"{rule} with {name} {d:+d}"
            yield words, _Reading(module, {}, {name: d})
    for other, candidate in SCHEDULES.items():
        fields = set(candidate.Hyper.__dataclass_fields__) - set(candidate.DIALECTS)
        if candidate is not module and fields - {"power"} <= set(own):
            for changes in ({}, *departures(candidate, {}, 1)):
                words = f"{other} with {in_words(candidate, changes)}"
                yield words, _Reading(candidate, changes, {})


def _agrees(backend: Any, capability: Capability, case: ScheduleCase, reading: _Reading) -> bool:
    subject = Subject(backend, capability, dict(case.hyper))
    try:
        hyper = reading.hyper(case.hyper)
        steps = [t for t in subject.defined(case.steps) if t + reading.shift >= 0]
        read = [t + reading.shift for t in steps]
        if capability.recursive and reading.module.ADVANCE is None:
            return False
        found = scheduling.judged(reading.module, capability, hyper, read, subject.values(steps))
    except (ArithmeticError, BackendFault, BackendRaised, BackendUnavailable, ValueError):
        return False
    return found.passed


def _extra(backend: Any, capability: Capability) -> dict[str, Any]:
    """What a report shows: the values over the steps, and the conditions of Robbins and Monro."""
    case = cases.pictured(capability)
    subject = Subject(backend, capability, dict(case.hyper))
    steps = subject.defined(case.steps)
    verdict = robbins_monro_verdicts.verdict(capability.rule, subject.hyper)
    told = ", ".join(
        f"{name} = {x:g}" for name, x in case.hyper.items() if isinstance(x, (int, float))
    )
    extra: dict[str, Any] = {"robbins_monro": verdict.to_json(), "hyper": told or "defaults"}
    try:
        got = subject.values(steps)
    except (BackendFault, BackendRaised, BackendUnavailable):
        # What fails here fails in a check, which says so; a picture may be lacking.
        return extra
    due = [float(subject.module.value(subject.hyper, t)) for t in steps]
    return extra | {
        "caption": f"Values at {told or 'the defaults'}; the reference's lie under them.",
        "chart": {
            "label": f"{capability.rule}: value over {len(steps)} steps",
            "x_label": "steps made",
            "y_label": "learning rate",
            "series": [
                {"label": "reference", "role": "exact", "x": list(steps), "y": due},
                {
                    "label": "backend",
                    "role": "measured",
                    "x": list(steps),
                    "y": [float(x) for x in got],
                },
            ],
        },
    }


def _result(
    capability: Capability,
    name: str,
    tally: Tally,
    identified: str,
    extra: Mapping[str, Any],
    seconds: float,
) -> CheckResult:
    remarks = [f"declared: {in_words(SCHEDULES[capability.rule], capability.dialect)}"]
    if name.startswith(PREFIX):
        remarks.append(law_line(LAWS[name.removeprefix(PREFIX)].__doc__))
    elif tally.worst is not None and name in FAMILIES:
        told = identified or "no other known dialect, rule or shift agrees with these values"
        remarks.append(f"this kernel computes: {told}")
    return result_of(
        capability,
        name,
        tally,
        seconds,
        contract="law" if name.startswith(PREFIX) else "bounded",
        place=_place,
        remarks=remarks,
        identified=identified,
        extra=extra,
    )


def _place(tally: Tally) -> Place:
    found = tally.worst
    assert found is not None
    t = int(tally.context[(found.judgement.index or (0,))[0]])
    hyper = json.dumps(tally.worst_case.to_json()["hyper"])
    return Place(f"the value at t = {t}", {"tensor": "lr", "t": t}, (f"hyperparameters: {hyper}",))
