"""The pytest plugin: one conformance test per check of a backend, each recorded.

Loaded by every pytest run where TrueStep is installed, so it imports nothing heavy at load.
"""

import fnmatch
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

_RECORD = "truestep"


class Xfails:
    """Checks that are known to fail: one glob over check ids per line, "#" before a reason."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, str] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            glob, _, reason = line.partition("#")
            if glob.strip():
                self.entries[glob.strip()] = reason.strip()

    def reason(self, check: str) -> str | None:
        """Why the check is known to fail, or None."""
        for glob, reason in self.entries.items():
            if fnmatch.fnmatchcase(check, glob):
                return reason or f"listed in {self.path.name}"
        return None

    def stale(self, checks: list[str]) -> list[str]:
        """Entries that match no check."""
        return [g for g in self.entries if not any(fnmatch.fnmatchcase(c, g) for c in checks)]


def backend_of(config: pytest.Config) -> str:
    """The one backend to judge; UsageError where several are named."""
    named = config.getoption("--truestep-backend") or ["cpu"]
    if len(named) > 1:
        told = f"--truestep-backend is given {len(named)} times ({', '.join(named)})"
        raise pytest.UsageError(f"{told}; a run judges one backend")
    return str(named[0])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the conformance suite."""
    group = parser.getgroup("truestep", "TrueStep conformance")
    group.addoption(
        "--truestep-backend",
        action="append",
        metavar="NAME",
        help="backend to judge: a name, package.module:Name or file.py:Name (default: cpu)",
    )
    group.addoption(
        "--truestep-level",
        default="standard",
        choices=("smoke", "standard", "deep"),
        help="how many examples to try (default: standard)",
    )
    group.addoption("--truestep-seed", default=0, type=int, metavar="N", help="seed of the search")
    group.addoption(
        "--truestep-only", default=None, metavar="GLOB", help="only checks with such ids"
    )
    group.addoption(
        "--truestep-xfails",
        default=None,
        metavar="FILE",
        help="globs of checks known to fail, one per line; one that matches nothing is an error",
    )
    group.addoption(
        "--truestep-rules",
        action="append",
        default=[],
        metavar="FILE",
        help="a rule of your own, which is executed: file.py or package.module",
    )
    group.addoption(
        "--truestep-record", default=None, metavar="FILE", help="write every check as a JSON line"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect the records on the process that reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(config), "truestep-recorder")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per check of the chosen backend."""
    if "truestep_check" not in metafunc.fixturenames:
        return
    from truestep.fast.discovery import BrokenBackend, UnknownBackend
    from truestep.fast.protocol import BackendUnavailable
    from truestep.properties.run.plan import checks_of, matching, runs
    from truestep.properties.run.remote import PATIENCE, Remote
    from truestep.reference import own

    config = metafunc.config
    spec, level = backend_of(config), config.getoption("--truestep-level")
    try:
        own.load(*config.getoption("--truestep-rules"))
        backend = Remote(spec, PATIENCE[level])
    except (UnknownBackend, BrokenBackend, own.BrokenRule) as error:
        raise pytest.UsageError(str(error)) from error
    except BackendUnavailable as reason:
        skip = pytest.mark.skip(reason=f"{spec} not run: {reason}")
        metafunc.parametrize("truestep_check", [pytest.param(None, id=spec, marks=skip)])
        return
    config.add_cleanup(backend.close)
    checks = matching(checks_of(backend), config.getoption("--truestep-only"))
    if not checks:
        only = config.getoption("--truestep-only")
        raise pytest.UsageError(f"no check of {spec} matches {only!r}")
    marks = _marks([check.id for check in checks], config)
    # Of many checks of other levels each would be a test that is skipped.
    checks = [check for check in checks if runs(check, level)] or checks
    metafunc.parametrize(
        "truestep_check",
        [pytest.param((backend, check), id=check.id, marks=marks[check.id]) for check in checks],
    )


def _marks(ids: list[str], config: pytest.Config) -> dict[str, list[pytest.MarkDecorator]]:
    path = config.getoption("--truestep-xfails")
    if path is None:
        return {check: [] for check in ids}
    try:
        xfails = Xfails(Path(path))
    except OSError as error:
        raise pytest.UsageError(f"--truestep-xfails: {error}") from error
    if stale := xfails.stale(ids):
        raise pytest.UsageError(f"{path}: no check matches {', '.join(map(repr, stale))}")
    return {
        check: [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
        for check in ids
        for reason in [xfails.reason(check)]
    }


class _Recorder:
    """Keeps every check's record, from whichever xdist worker it comes."""

    def __init__(self, config: pytest.Config) -> None:
        path = config.getoption("--truestep-record")
        self.path = None if path is None else Path(path)
        self.records: list[dict[str, object]] = []
        if self.path is not None:
            self.path.write_text("", encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the record from the call phase; it is on disk before the next test ends."""
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == _RECORD:
                self.records.append(record := json.loads(str(value)))
                if self.path is not None:
                    with self.path.open("a", encoding="utf-8") as out:
                        out.write(json.dumps(record) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """How many checks pass, and the largest utilisation among them."""
        if not self.records:
            return
        passed = [r for r in self.records if r["verdict"] == "pass"]
        worst = max(passed, key=_utilisation, default=None)
        terminalreporter.section("TrueStep")
        terminalreporter.line(f"{len(passed)} of {len(self.records)} checks pass")
        if worst is not None and worst["utilisation"] is not None:
            terminalreporter.line(
                f"largest utilisation among them {_utilisation(worst):.3f} ({worst['id']})"
            )


def _utilisation(record: Mapping[str, object]) -> float:
    return float(str(record["utilisation"] or 0.0))
