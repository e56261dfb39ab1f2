"""Searching for the worst case: Hypothesis draws cases, a tally keeps what they showed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.internal.conjecture import providers
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

from truestep.fast.protocol import Level
from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.tally import FAILURES, Case, Tally
from truestep.properties.search.budget import OutOfTime

C = TypeVar("C", bound=Case)

# Simpler cases that are tried once one has failed; a case that is not minimal still fails. Most of
# what can be had is had by then, and counted tries find the same case on every machine.
SIMPLER = 30
_CONSTANTS = "_local_constants"
# What Hypothesis keeps of its own constants, by what a strategy permits.
_PERMITTED = type(providers.CONSTANTS_CACHE)(1024)
_FLAKY = "identical calls gave different results"


@dataclass(frozen=True, slots=True)
class Drawn(Generic[C]):
    """Cases that Hypothesis draws, so many of them at each level.

    simplified: whether it simplifies one that fails. first(seed): cases that come before the drawn
    ones whatever chance has it, counted among them. own(seed): cases before these that no other
    implementation is given, so that one that keeps the answers of another has none to them.
    """

    strategy: SearchStrategy[C]
    examples: Mapping[Level, int]
    simplified: bool = True
    first: Callable[[int], Sequence[C]] = lambda _: ()
    own: Callable[[int], Sequence[C]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class Listed(Generic[C]):
    """Cases that are all tried, in their order; made(seed): they may hang on the run's seed.

    deep(seed): those of the deepest level, where they are others.
    """

    made: Callable[[int], Sequence[C]]
    deep: Callable[[int], Sequence[C]] | None = None

    def at(self, level: Level) -> Callable[[int], Sequence[C]]:
        """What makes the cases of that level."""
        return self.deep if self.deep is not None and level == "deep" else self.made


def explore(
    strategy: SearchStrategy[C],
    run: Callable[[C, Tally], None],
    *,
    examples: int,
    seed: int,
    started: Callable[[C], None],
    simplified: bool = True,
    first: Sequence[C] = (),
) -> Tally:
    """Run run(case, tally) on drawn cases until one fails; simplified: a failing case is shrunk.

    first: cases that are tried before, as they are, and count among the examples.
    started(case) is called before each case, so that a case that kills the process is known.
    A BackendFault or any exception of the backend ends the search with its message.
    """
    tally = run_all(first[:examples], run, started)
    if tally.failed or tally.examples == examples:
        return tally
    tried = 0

    @seeded(seed)
    @_settings(examples - tally.examples)
    @given(_held(strategy))
    def search(held: "_Held[C]") -> None:
        nonlocal tried
        case = held.case
        if tally.failed:
            tried += 1
            if tried > SIMPLER:
                raise _Enough
        else:
            tally.examples += 1
        started(case)
        try:
            _guarded(case, tally, run)
        except FAILURES:
            if simplified:
                raise
            if not fails(case, Tally(), run, started):
                tally.message = f"{_FLAKY}; {tally.message}".strip("; ")
            raise _Enough from None

    # Hypothesis would read and parse this file to name what it has no database for.
    search._hypothesis_internal_database_key = b""  # type: ignore[attr-defined]
    try:
        with _drawing_alike():
            search()
    except (*FAILURES, _Enough):
        pass
    except OutOfTime:
        if not tally.failed:
            raise
    except Flaky:
        tally.message = f"{_FLAKY}; {tally.message}".strip("; ")
    return tally


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if SIMPLER > 0 else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
    )


@contextmanager
def _drawing_alike() -> Iterator[None]:
    """Have Hypothesis draw no constants of whatever modules happen to be loaded.

    With these a seed would stand for other cases in a test than on the command line.
    """
    usual, known = HypothesisProvider.__dict__[_CONSTANTS], providers.CONSTANTS_CACHE
    setattr(HypothesisProvider, _CONSTANTS, Constants())
    providers.CONSTANTS_CACHE = _PERMITTED
    try:
        yield
    finally:
        setattr(HypothesisProvider, _CONSTANTS, usual)
        providers.CONSTANTS_CACHE = known


class _Held(Generic[C]):
    """A case that is not to be printed: Hypothesis writes out how a failing one was built."""

    def __init__(self, case: C) -> None:
        self.case = case

    def __repr__(self) -> str:
        return "case"


@st.composite
def _held(draw: st.DrawFn, strategy: SearchStrategy[C]) -> "_Held[C]":
    return _Held(draw(strategy))


class _Enough(BaseException):
    """Ends a search that has failed: Hypothesis catches exceptions of other kinds."""


def run_all(
    cases: Sequence[C], run: Callable[[C, Tally], None], started: Callable[[C], None]
) -> Tally:
    """Run given cases in order until one fails."""
    tally = Tally()
    for case in cases:
        tally.examples += 1
        if fails(case, tally, run, started):
            break
    return tally


def fails(
    case: C, tally: Tally, run: Callable[[C, Tally], None], started: Callable[[C], None]
) -> bool:
    """Run one case, and tell whether it fails."""
    started(case)
    try:
        _guarded(case, tally, run)
    except FAILURES:
        return True
    return False


def _guarded(case: C, tally: Tally, run: Callable[[C, Tally], None]) -> None:
    try:
        run(case, tally)
    except (BackendFault, BackendRaised) as fault:
        tally.blame(case, fault)
        raise
