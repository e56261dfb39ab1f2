"""Schedules: values judged by the closed form, or each from the last one; and laws."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import cast, final

import numpy as np

from truestep.fast.protocol import BackendUnavailable, ScheduleBackend, ScheduleCapability
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.restored import restored
from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.contracts import Judged, Judgement, not_judged
from truestep.properties.judge.records import Place
from truestep.properties.judge.results import Check, Record
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.kind import Kind, Steps
from truestep.properties.kinds.schedule import cases, robbins_monro, strata
from truestep.properties.kinds.schedule import step as scheduling
from truestep.properties.kinds.schedule.account import account
from truestep.properties.kinds.schedule.cases import ScheduleCase
from truestep.properties.kinds.schedule.families import FAMILIES
from truestep.properties.kinds.schedule.laws import EXAMPLES, LAWS, Subject, names
from truestep.properties.laws.claims import PREFIX
from truestep.properties.laws.claims import judged as judged_claims
from truestep.properties.search.exploration import Drawn, Listed
from truestep.properties.search.identification import Reading, departures, dialects_of
from truestep.properties.search.likeness import require_likeness
from truestep.properties.told.account import Account
from truestep.reference.rules import Schedule
from truestep.reference.schedules import SCHEDULES

# Judged by the closed form over whole runs: the sum of all the errors of a recursion.
DRIFT = "closed_form"


@final
class ScheduleKind(Kind[ScheduleCapability, ScheduleCase, ScheduleBackend]):
    """Families of steps of a run, and laws."""

    name = "schedule"
    word = "dialect, rule or shift"

    def names(self, capability: ScheduleCapability) -> Sequence[str]:
        """Families of cases, then the laws."""
        drift = (DRIFT,) if capability.recursive else ()
        return (*drift, *FAMILIES, strata.NAME, *(PREFIX + law for law in names(capability)))

    def cases(
        self, check: Check, capability: ScheduleCapability
    ) -> Drawn[ScheduleCase] | Listed[ScheduleCase]:
        """Drawn hyperparameters and steps."""
        if check.name == strata.NAME:
            return Listed(lambda seed: strata.made(capability, seed))
        law = check.name.startswith(PREFIX)
        family = FAMILIES["every_step" if check.name == DRIFT else "values" if law else check.name]
        return Drawn(family.strategy(capability), EXAMPLES if law else family.examples)

    def case(self, check: Check, record: Record) -> ScheduleCase:
        """The case that to_json wrote."""
        return restored(ScheduleCase, record)

    def judged(
        self,
        backend: ScheduleBackend,
        check: Check,
        capability: ScheduleCapability,
        case: ScheduleCase,
    ) -> Steps:
        """The values at the case's steps, or a law's claims."""
        subject = Subject(backend, capability, dict(case.hyper))
        try:
            if check.name.startswith(PREFIX):
                law = LAWS[check.name.removeprefix(PREFIX)]
                for claim in law(subject, case.steps):
                    yield claim.steps, judged_claims([claim])
                return
            if check.name == "past_the_end":
                _require_the_end(subject, case)
            steps = subject.defined(case.steps)
            yield steps, [_item(_judged(subject, steps, check.name == DRIFT))]
        except BackendUnavailable:
            # Hyperparameters that this kernel does not take: nothing of them was judged.
            yield case.steps, [_item(not_judged(len(case.steps)))]

    def law(self, check: Check) -> str | None:
        """What a law says."""
        return LAWS[check.name.removeprefix(PREFIX)].__doc__

    def reads(self, check: Check) -> bool:
        """Families alone: over a whole run errors add up."""
        return check.name in (*FAMILIES, strata.NAME)

    def battery(self, capability: ScheduleCapability) -> Sequence[ScheduleCase]:
        """The whole run that a report shows."""
        return [cases.pictured(capability)]

    def readings(self, capability: ScheduleCapability, distance: int) -> Iterator[Reading]:
        """Other dialects, a step more or less, and other rules of the same hyperparameters."""
        rule, module = capability.rule, SCHEDULES[capability.rule]
        yield from dialects_of(rule, module, departures(module, capability.dialect, distance))
        if distance > 1:
            return
        own = module.Hyper.__dataclass_fields__
        for d, word in ((1, "early"), (-1, "late")):
            yield Reading(f"{rule} one step {word}: a(t {d:+d}) where a(t) is due", module, shift=d)
        for name in (n for n in own if n.endswith("_steps") or n in ("step_size", "steps_up")):
            for d in (1, -1):
                yield Reading(f"{rule} with {name} {d:+d}", module, lengths={name: d})
        for other, candidate in SCHEDULES.items():
            fields = set(candidate.Hyper.__dataclass_fields__) - set(candidate.DIALECTS)
            if candidate is not module and fields - {"power"} <= set(own):
                yield from dialects_of(other, candidate, ({}, *departures(candidate, {}, 1)))

    def read(
        self,
        backend: ScheduleBackend,
        capability: ScheduleCapability,
        case: ScheduleCase,
        reading: Reading,
    ) -> Steps:
        """The values at the case's steps, judged as another rule's."""
        module = cast(Schedule, reading.rule)
        subject = Subject(backend, capability, dict(case.hyper))
        steps = [t for t in subject.defined(case.steps) if t + reading.shift >= 0]
        if capability.recursive and module.advance is None:
            raise ValueError(f"{reading.words} is not made from the last value")
        try:
            hyper, got = reading.hyper(subject.hyper), subject.values(steps)
        except BackendUnavailable as reason:
            raise ValueError(str(reason)) from reason
        read = [t + reading.shift for t in steps]
        if not capability.recursive:
            due = np.array([float(module.value(hyper, t)) for t in read])
            require_likeness("lr", got, due, arithmetic_of(capability.arithmetic))
        yield steps, [_item(scheduling.judged(module, capability, hyper, read, got))]

    def account(
        self,
        backend: ScheduleBackend,
        check: Check,
        capability: ScheduleCapability,
        tally: Tally,
        started: Callable[[ScheduleCase], None],
        *,
        known: bool,
    ) -> Account:
        """At which steps values are wrong, and a program that computes one."""
        case, found = cast(ScheduleCase, tally.worst_case), tally.worst
        assert found is not None
        subject = Subject(backend, capability, dict(case.hyper))
        started(case)
        return account(subject, cast(Sequence[int], tally.context), found)

    def place(self, check: Check, tally: Tally) -> Place:
        """The step."""
        found, case = tally.worst, cast(ScheduleCase, tally.worst_case)
        assert found is not None
        steps = cast(Sequence[int], tally.context)
        t = int(steps[(found.judgement.index or (0,))[0]])
        hyper = json.dumps(case.to_json()["hyper"])
        return Place(
            f"the value at t = {t}", {"tensor": "lr", "t": t}, (f"hyperparameters: {hyper}",)
        )

    def extra(
        self, backend: ScheduleBackend, check: Check, capability: ScheduleCapability, tally: Tally
    ) -> dict[str, object]:
        """Of the values: the picture of a run, and the conditions of Robbins and Monro."""
        return _pictured(backend, capability) if check.name == "values" else {}


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


def _pictured(backend: ScheduleBackend, capability: ScheduleCapability) -> dict[str, object]:
    """What a report shows: the values over the steps, and the conditions of Robbins and Monro."""
    case = cases.pictured(capability)
    subject = Subject(backend, capability, dict(case.hyper))
    steps = subject.defined(case.steps)
    verdict = robbins_monro.verdict(capability.rule, subject.hyper)
    told = ", ".join(
        f"{name} = {x:g}" for name, x in case.hyper.items() if isinstance(x, (int, float))
    )
    extra: dict[str, object] = {"robbins_monro": verdict.to_json(), "hyper": told or "defaults"}
    try:
        got = subject.values(steps)
    except (BackendFault, BackendRaised, BackendUnavailable):
        # What fails here fails in a check, which says so; a picture may be lacking.
        return extra
    due = [float(subject.module.value(subject.hyper, t)) for t in steps]
    series = (("reference", "exact", due), ("backend", "measured", [float(x) for x in got]))
    return extra | {
        "caption": f"Values at {told or 'the defaults'}; the reference's lie under them.",
        "chart": {
            "label": f"{capability.rule}: value over {len(steps)} steps",
            "x_label": "steps made",
            "y_label": "learning rate",
            "series": [
                {"label": label, "role": role, "x": list(steps), "y": y}
                for label, role, y in series
            ],
        },
    }
