"""What a run makes of its lists: checks that are known to fail, and checks that are not run.

A certificate's verdict is not changed by a list: a check that fails, fails, with the reason why
that is known. What changes is the exit status: failures that are listed are none, a listed check
that passes is one, and an entry that matches no check is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from click import ClickException

from truestep.properties.judge.results import CheckResult
from truestep.properties.run import expected, pool
from truestep.properties.run.expected import Entry
from truestep.reports.certificate import Record
from truestep.reports.verdicts import FAILING, KNOWN, RUNS


@dataclass(frozen=True, slots=True)
class Lists:
    """The entries of both files, and the options that name these."""

    xfails: Sequence[Entry] = ()
    skips: Sequence[Entry] = ()
    options: Sequence[str] = ()

    @classmethod
    def read(cls, xfails: Path | None, skips: Path | None) -> Lists:
        """Read the files that are given; raises ClickException with the line."""
        given = [("--xfails", xfails), ("--skips", skips)]
        named = [word for option, path in given if path for word in (option, str(path))]
        return cls(_entries("--xfails", xfails), _entries("--skips", skips), named)

    def skipped(self, backend: str, check: str) -> str:
        """Why a check is not run; "" where it is."""
        entry = expected.entry_of(self.skips, backend, check)
        return f"skipped: {entry.told()}" if entry else ""

    def marked(self, backend: str, check: Record) -> Record:
        """A check of a certificate, with the reason why its failure is known."""
        entry = expected.entry_of(self.xfails, backend, str(check["id"]))
        if entry is None or check["verdict"] not in FAILING:
            return check
        return {**check, "extra": {**check.get("extra", {}), KNOWN: entry.told()}}

    def passing(self, certificate: Record) -> list[str]:
        """A line for each check that passes and is listed as failing."""
        name, lines = certificate["backend"]["name"], []
        for check in certificate["checks"]:
            entry = expected.entry_of(self.xfails, name, check["id"])
            if entry is not None and check["verdict"] == "pass":
                lines.append(f"{check['id']} passes, but is listed as failing: {entry.told()}")
        return lines

    def unmatched(self, runs: Sequence[pool.Run]) -> list[str]:
        """A line for each entry that no check of these backends matches.

        None where one could not run: an entry may be of it.
        """
        if any(not run.known for run in runs):
            return []
        ids = [(run.backend_name, id) for run in runs for id in run.known]
        stale = expected.unmatched([*self.xfails, *self.skips], ids)
        return [f"{entry.place}: no check matches {entry.glob!r}" for entry in stale]


def status(certificate: Record) -> int:
    """The exit status of a run whose failures may be known."""
    failing = [check for check in certificate["checks"] if check["verdict"] in FAILING]
    if not failing or any(why_known(check) is None for check in failing):
        return RUNS[certificate["verdict"]].status
    return 2 if any(check["verdict"] == "error" for check in certificate["checks"]) else 0


def why_known(check: Record | CheckResult) -> str | None:
    """Why the failure of a check is known, if it is."""
    extra = check["extra"] if isinstance(check, Mapping) else check.extra
    return str(extra[KNOWN]) if KNOWN in extra else None


def _entries(option: str, path: Path | None) -> list[Entry]:
    if path is None:
        return []
    try:
        entries = expected.read(path)
    except expected.BadList as error:
        raise ClickException(f"{option}: {error}") from None
    except OSError as error:
        raise ClickException(f"{option}: {path}: {error.strerror}") from None
    return entries
