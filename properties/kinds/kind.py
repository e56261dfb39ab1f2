"""One kind of capability, and the one way in which any check of any kind is run and run again."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Generic, TypeVar, cast, get_args
from weakref import WeakKeyDictionary

import numpy as np
from hypothesis.strategies import SearchStrategy

from truestep.fast.protocol import Backend, Capability, Level
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.judge.calls import Malformed
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.records import Place, law_line, result_of
from truestep.properties.judge.results import Check, CheckResult, Record, check_id
from truestep.properties.judge.tally import Case, Tally
from truestep.properties.laws.claims import PREFIX
from truestep.properties.search.arithmetics import looser, loosest
from truestep.properties.search.budget import UNLIMITED, Budget, OutOfTime
from truestep.properties.search.exploration import Drawn, Listed, explore, run_all
from truestep.properties.search.identification import (
    Reading,
    all_within,
    departures,
    dialects_of,
    first_that_agrees,
    in_words,
)
from truestep.properties.search.recalled import Recalled, kept
from truestep.properties.search.shared import searched
from truestep.properties.told.account import Account
from truestep.reference.rules import Rule
from truestep.reference.tables import RULES

LEVELS: tuple[Level, ...] = get_args(Level)

Capable = TypeVar("Capable", bound=Capability)
C = TypeVar("C", bound=Case)
Able = TypeVar("Able", bound=Backend)
# The steps of a case: what is remembered of each, with its judgements.
Steps = Iterator[tuple[object, Iterable[Judged]]]
Started = Callable[[Case], None]


@dataclass(frozen=True, slots=True)
class Seeded:
    """A case of an experiment that draws its own numbers from a seed."""

    seed: int

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        return {"seed": self.seed}


@dataclass(frozen=True, slots=True)
class Family(Generic[Capable, C]):
    """A named family of cases: what it varies, and how many examples each level tries.

    by_format: whether the cases depend on the format that they are stored in. simplified: whether
    a failing one can be made simpler. first: the cases of a seed that come before the drawn ones,
    one for each value of what the family is about. own: those of one implementation alone.
    """

    about: str
    strategy: Callable[[Capable], SearchStrategy[C]]
    examples: Mapping[Level, int]
    by_format: bool = False
    simplified: bool = True
    first: Callable[[Capable, int], Sequence[C]] = lambda *_: ()
    own: Callable[[Capable, int], Sequence[C]] = lambda *_: ()


def examples(smoke: int, standard: int, deep: int) -> Mapping[Level, int]:
    """Numbers of examples by level: what fits its time on two cores, not part of any contract."""
    return {"smoke": smoke, "standard": standard, "deep": deep}


class Kind(ABC, Generic[Capable, C, Able]):
    """What the runner has to know of a kind: its checks, their cases, and how a case is judged.

    word: what a failing kernel may be identified as, in the message that says it was not.
    """

    name: ClassVar[str]
    word: ClassVar[str] = "dialect"

    @abstractmethod
    def names(self, capability: Capable) -> Sequence[str]:
        """The checks of a capability: families of cases, then the laws that hold for it."""

    @abstractmethod
    def cases(self, check: Check, capability: Capable) -> Drawn[C] | Listed[C]:
        """The cases of a check."""

    def drawn_for(self, check: Check) -> Capability:
        """The capability of a check without what its cases do not depend on."""
        return replace(check.capability, variant="", level=LEVELS[0])

    @abstractmethod
    def case(self, check: Check, record: Record) -> C:
        """The case that to_json wrote."""

    @abstractmethod
    def judged(self, backend: Able, check: Check, capability: Capable, case: C) -> Steps:
        """Run a case by the backend, and judge it step by step."""

    @abstractmethod
    def place(self, check: Check, tally: Tally) -> Place:
        """Where the worst element stands."""

    def contract(self, check: Check) -> str:
        """How a check that is no law judges."""
        return "bounded"

    def law(self, check: Check) -> str | None:
        """What a law says."""
        raise ValueError(f"the kind {self.name} has no law {check.name!r}")

    def checks(self, capability: Capable) -> Iterator[Check]:
        """Every check of a capability."""
        for name in self.names(capability):
            yield Check(check_id(capability, name), self.name, capability.rule, name, capability)

    def least(self, check: Check) -> Level:
        """The least thorough level at which a check is run."""
        return check.capability.level

    # Identification: of a kind whose cases can be judged by another reading of the rule.

    def reads(self, check: Check) -> bool:
        """Whether a failure of this check is worth the search for what the kernel computes."""
        return not check.name.startswith(PREFIX)

    def battery(self, capability: Capable) -> Sequence[C]:
        """Fixed cases that tell readings apart, beside the failing one."""
        return ()

    def rule(self, capability: Capable) -> Rule:
        """The rule as it is judged."""
        return RULES[capability.kind][capability.rule]

    def readings(self, capability: Capable, distance: int) -> Iterator[Reading]:
        """Other readings of the rule, so many choices away."""
        rule = self.rule(capability)
        changes = departures(rule, capability.dialect, distance)
        return dialects_of(capability.rule, rule, changes)

    def read(self, backend: Able, capability: Capable, case: C, reading: Reading) -> Steps:
        """Run a case, and judge it as if it were of that reading."""
        raise NotImplementedError

    def account(
        self,
        backend: Able,
        check: Check,
        capability: Capable,
        tally: Tally,
        started: Callable[[C], None],
        *,
        known: bool,
    ) -> Account:
        """What is told of a failure beside its numbers; known: what the kernel computes instead is.

        Asked where reads() says so, of a worst element that there is.
        """
        return Account()

    def extra(
        self, backend: Able, check: Check, capability: Capable, tally: Tally
    ) -> dict[str, object]:
        """What a report shows beside the numbers."""
        return {}


AnyKind = Kind[Capability, Case, Backend]


def thoroughness(capability: Capability, level: Level) -> Level:
    """The level at which a capability is run when the run's level is this one.

    An implementation that only joins at a higher level starts there with that level's few examples.
    """
    return LEVELS[max(0, LEVELS.index(level) - LEVELS.index(capability.level))]


def run(
    kind: AnyKind,
    backend: Backend,
    check: Check,
    *,
    level: Level,
    seed: int,
    started: Started,
    told: bool = True,
    budget: Budget = UNLIMITED,
) -> CheckResult:
    """Search the cases of a check for one that the backend fails.

    told: whether that is simplified, and what the backend computes instead identified. Raises
    OutOfTime where the budget's time ends before anything has failed.
    """
    begin, clock = time.perf_counter(), budget.begin()
    capability = check.capability

    def judge(case: Case, tally: Tally) -> None:
        clock.look(tally)
        _judge(kind, backend, check, case, tally)

    least = thoroughness(capability, level)
    source = kind.cases(check, capability)
    alike = f"{kind.name} {check.name} {kind.drawn_for(check)}"
    tally = searched(source, alike, least, seed, judge, started, told=told, budget=budget)
    clock.look(tally)
    identified, account = None, Account()
    found = tally.failed and tally.worst is not None
    if found and tally.worst_case and told and kind.reads(check):

        def within(case: Case) -> None:
            clock.look(Tally())
            started(case)

        identified = _identified(kind, backend, capability, tally.worst_case, within)
        with suppress(OutOfTime):
            known = bool(identified)
            account = kind.account(backend, check, capability, tally, within, known=known)
    tally.extra |= kind.extra(backend, check, capability, tally) | account.extra
    seconds = time.perf_counter() - begin
    return _result(kind, check, tally, seconds, identified, account.remarks)


def replay(kind: AnyKind, backend: Backend, check: Check, record: Record) -> CheckResult:
    """Run one recorded case of a check again."""
    begin = time.perf_counter()
    case = kind.case(check, record)
    tally = run_all([case], lambda c, t: _judge(kind, backend, check, c, t), started=lambda _: None)
    return _result(kind, check, tally, time.perf_counter() - begin, None)


def misunderstood(kind: AnyKind, backend: Backend, check: Check) -> str:
    """Why a check's simplest case gives nothing that could be judged: "" where it does."""
    told = ""

    def judge(case: Case, tally: Tally) -> None:
        nonlocal told
        try:
            _judge(kind, backend, check, case, tally)
        except Malformed as fault:
            told = str(fault)
            raise

    source = kind.cases(check, check.capability)
    if isinstance(source, Listed):
        run_all(source.made(0)[:1], judge, lambda _: None)
    else:
        explore(
            source.strategy, judge, examples=1, seed=0, started=lambda _: None, simplified=False
        )
    return told


def _judge(kind: AnyKind, backend: Backend, check: Check, case: Case, tally: Tally) -> None:
    # Numbers of a case may be nans that signal where they are widened.
    with np.errstate(invalid="ignore"), suppress(Undecided):
        for context, found in kind.judged(backend, check, check.capability, case):
            tally.latest = context
            tally.add(case, found, context)


# What failing capabilities of a backend compute instead: it is the kernel's, not the check's.
_IDENTIFIED: WeakKeyDictionary[Backend, dict[str, str]] = WeakKeyDictionary()


def _identified(
    kind: AnyKind, backend: Backend, capability: Capability, failing: Case, started: Started
) -> str | None:
    """The readings that a kernel agrees with on a failing case and on the battery; "" if none.

    None where the time ends before they are found.
    """
    known = kept(_IDENTIFIED, backend, dict)
    recalled = cast(Backend, Recalled(backend, capability))

    def agrees(reading: Reading) -> bool:
        def judged(case: Case) -> Steps:
            started(case)
            return kind.read(recalled, as_read, case, reading)

        as_read = replace(capability, arithmetic=reading.arithmetic or capability.arithmetic)
        return all_within(judged, tried)

    key = check_id(capability, "")
    if key not in known:
        # Most readings fall on the first fixed case, and most of the others on what has failed.
        fixed = kind.battery(capability)
        tried = [*fixed[:1], failing, *fixed[1:]]
        rule = kind.rule(capability)
        with np.errstate(invalid="ignore"), suppress(OutOfTime):
            found = first_that_agrees(partial(kind.readings, capability), agrees)
            if not found and agrees(loosest(rule, capability)):
                found = first_that_agrees(partial(looser, rule, capability), agrees)
            known[key] = found
    return known.get(key)


def _result(
    kind: AnyKind,
    check: Check,
    tally: Tally,
    seconds: float,
    identified: str | None,
    told: Sequence[str] = (),
) -> CheckResult:
    is_law = check.name.startswith(PREFIX)
    rule = RULES.get(check.kind, {}).get(check.rule)
    remarks = [f"declared: {in_words(rule, check.capability.dialect)}"] if rule else []
    if is_law:
        remarks.append(law_line(kind.law(check)))
    elif identified is not None:
        none = f"no other known {kind.word} agrees with these outputs"
        remarks.append(f"this kernel computes: {identified or none}")
    remarks = [*told, *remarks]
    return result_of(
        check,
        tally,
        seconds,
        contract="law" if is_law else kind.contract(check),
        place=lambda found: kind.place(check, found),
        remarks=remarks,
        identified=identified or "",
    )
