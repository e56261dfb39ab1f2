"""The pytest plugin: one conformance test per check of each backend, each recorded; the fixture.

Loaded by every pytest run where TrueStep is installed, so it imports nothing heavy at load.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from truestep.properties import settings

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

    from truestep.properties.judge.results import Check, CheckResult
    from truestep.properties.run.expected import Entry
    from truestep.properties.run.remote import Remote
    from truestep.session import Session

_RECORD = pytest.StashKey[str]()
# What a report carries from the process of a test to that which reports, and only there.
_ATTRIBUTE = "truestep_record"


@dataclass(frozen=True, slots=True)
class Conforming:
    """One check of one backend, for one test.

    known: the entry that lists it as failing. leaves: whether it is listed that calls leave
    something changed in their process, which here is no check of its own.
    """

    spec: str
    backend: Remote
    check: Check
    known: Entry | None
    leaves: bool

    def require(self, result: CheckResult) -> None:
        """End the test unless the check passes and is not listed as failing."""
        left, _ = self.backend.seen()
        if result.verdict in ("not_judged", "not_run"):
            pytest.skip(result.message or "not judged: nothing in it is certain")
        told = "" if result.verdict == "pass" else f"{result.verdict}\n{result.message}"
        if not told and left and not self.leaves:
            told = "the backend's calls left changed: " + "; ".join(left)
        if self.known is not None and told and result.verdict != "error":
            pytest.xfail(self.known.told())
        if self.known is not None and not told:
            told = f"it passes, but is listed as failing: {self.known.told()}"
        if told:
            pytest.fail(told, pytrace=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the conformance suite."""
    settings.declare(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Collect the records on the process that reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(config), "truestep-recorder")


@pytest.fixture
def truestep(pytestconfig: pytest.Config) -> Session:
    """What judges under the options of this run: assert_step, assert_conforms, ..., level, seed."""
    from truestep.session import Session

    return Session.of(settings.settings_of(pytestconfig))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per check of every chosen backend."""
    if "truestep_check" not in metafunc.fixturenames:
        return
    try:
        metafunc.parametrize("truestep_check", _parameters(metafunc.config))
    except pytest.UsageError as error:
        # Shown as it is, where others have pytest's own lines above them.
        raise pytest.Collector.CollectError(str(error)) from None


def _parameters(config: pytest.Config) -> list[ParameterSet]:
    """A parameter for each check; raises UsageError where the options name what is not there."""
    from truestep.properties.run import conduct, expected
    from truestep.properties.run.plan import checks_of

    asked = settings.settings_of(config)
    xfails, skips = _entries(asked.xfails, "xfails"), _entries(asked.skips, "skips")
    found = {spec: _loaded(config, spec, asked) for spec in asked.backends}
    backends = {spec: each for spec, each in found.items() if not isinstance(each, str)}
    own = conduct.check()
    ids = [(b.name, check.id) for b in backends.values() for check in [*checks_of(b), own]]
    # Of a backend that is not here an entry may be right.
    if len(backends) == len(found) and (stale := expected.unmatched([*xfails, *skips], ids)):
        told = ", ".join(f"{entry.glob!r} ({entry.place})" for entry in stale)
        raise pytest.UsageError(f"no check matches {told}")
    shared = Counter(backend.name for backend in backends.values())
    chosen = {spec: _chosen(backend, asked) for spec, backend in backends.items()}
    if backends and not any(chosen.values()):
        spec, first = next(iter(backends.items()))
        one = checks_of(first)[0].id
        raise pytest.UsageError(f"no check of {spec} matches {asked.only!r}; one is {one!r}")
    values = []
    for spec, backend in found.items():
        if isinstance(backend, str):
            skip = pytest.mark.skip(reason=f"{spec} not run: {backend}")
            values.append(pytest.param(None, id=spec, marks=skip))
            continue
        name = backend.name if shared[backend.name] == 1 else spec
        leaves = expected.entry_of([*xfails, *skips], backend.name, own.id) is not None
        for check in chosen[spec]:
            entry = expected.entry_of(skips, backend.name, check.id)
            marks = [pytest.mark.skip(reason=entry.told())] if entry else []
            known = expected.entry_of(xfails, backend.name, check.id)
            made = Conforming(spec, backend, check, known, leaves)
            values.append(pytest.param(made, id=f"{name}/{check.id}", marks=marks))
    return values


def _loaded(config: pytest.Config, spec: str, asked: settings.Settings) -> Remote | str:
    """A backend in its process, ended with the run; or why it cannot run here."""
    from truestep.fast.discovery import BrokenBackend, UnknownBackend
    from truestep.fast.protocol import BackendUnavailable
    from truestep.properties.run.hosted import PATIENCE
    from truestep.properties.run.remote import Remote
    from truestep.reference import own

    try:
        own.load(*asked.rules)
        backend = Remote(spec, min(PATIENCE[asked.level], asked.seconds or float("inf")))
    except (UnknownBackend, BrokenBackend, own.BrokenRule) as error:
        raise pytest.UsageError(str(error)) from error
    except BackendUnavailable as reason:
        return str(reason)
    config.add_cleanup(backend.close)
    return backend


def _chosen(backend: Remote, asked: settings.Settings) -> Sequence[Check]:
    """The checks that are tests: those of other levels would each be one that is skipped."""
    from truestep.properties.run.plan import checks_of, matching, runs

    found = matching(checks_of(backend), asked.only)
    return [check for check in found if runs(check, asked.level)] or found


def _entries(path: Path | None, name: str) -> list[Entry]:
    from truestep.properties.run import expected

    try:
        return [] if path is None else expected.read(path)
    except expected.BadList as error:
        raise pytest.UsageError(f"--truestep-{name}: {error}") from None
    except OSError as error:
        raise pytest.UsageError(f"--truestep-{name}: {path}: {error.strerror}") from None


def record(item: pytest.Item, result: CheckResult) -> None:
    """Keep a check's result with its test, for the summary and --truestep-record.

    As text: workers of xdist send plain data alone, and numbers of NumPy are none.
    """
    item.stash[_RECORD] = json.dumps(result.to_json())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Send the record with the report; as a property it would be no JUnit that validates."""
    report = yield
    if call.when == "call" and _RECORD in item.stash:
        setattr(report, _ATTRIBUTE, item.stash[_RECORD])
    return report


class _Recorder:
    """Keeps every check's record, from whichever xdist worker it comes."""

    def __init__(self, config: pytest.Config) -> None:
        self.path = settings.record_of(config)
        self.records: list[Mapping[str, object]] = []
        if self.path is not None:
            self.path.write_text("", encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the record; it is on disk before the next test ends."""
        if (found := getattr(report, _ATTRIBUTE, None)) is None:
            return
        self.records.append(json.loads(found))
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as out:
                out.write(found + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """How many checks pass, and the largest utilisation among them."""
        if not self.records:
            return
        asked = settings.settings_of(terminalreporter.config)
        passed = [r for r in self.records if r["verdict"] == "pass"]
        worst = max(passed, key=_utilisation, default=None)
        terminalreporter.section("TrueStep")
        terminalreporter.line(f"{len(passed)} of {len(self.records)} checks pass")
        if worst is not None and worst["utilisation"] is not None:
            terminalreporter.line(
                f"largest utilisation among them {_utilisation(worst):.3f} ({worst['id']})"
            )
        if asked.cases is not None:
            terminalreporter.line(
                f"at most {asked.cases} cases of each check: less than the level {asked.level} asks"
            )


def _utilisation(record: Mapping[str, object]) -> float:
    return float(str(record["utilisation"] or 0.0))
