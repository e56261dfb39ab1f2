"""One backend's results from the first to the certificate, kept whatever happens in between."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from click import ClickException

from truestep.fast.protocol import Level
from truestep.properties.judge.results import CheckResult
from truestep.properties.run import pool
from truestep.properties.run.shards import Shard
from truestep.reference import own
from truestep.reports import certificate, naming, terminal
from truestep.reports.alerts import Alerts
from truestep.reports.certificate import Record
from truestep.reports.journal import ENDING, Journal
from truestep.reports.judged import Judged, judged
from truestep.reports.known import Lists
from truestep.reports.resume import Earlier

if TYPE_CHECKING:
    from truestep.reports.spread import Executors, Need


@dataclass(frozen=True, slots=True)
class Sharding:
    """A part of a run, and what its certificate tells of it."""

    part: Shard
    record: Record


@dataclass(frozen=True, slots=True)
class Engine:
    """What carries out units of checks. needs: what they ask for. units: of each backend."""

    executors: Executors
    needs: Sequence[Need]
    units: int


@dataclass(frozen=True, slots=True)
class Request:
    """What certify is asked beside the backends.

    workers: None for one per processor. resume: a journal, unfinished certificate or folder to go
    on from. force: whether files of other runs may be overwritten. fail_fast: whether a backend's
    first failure ends its run. strict: whether departures fail it. lists: checks that are known to
    fail, or not to be run. alerts: where what fails is told besides. sharding: which part of the
    checks is run; costs: the file that it is balanced by. engine: what carries out the checks in
    the place of this machine's processes.
    """

    only: str | None
    level: Level
    seed: int
    workers: int | None
    out: Path
    as_json: bool
    resume: Path | None = None
    force: bool = False
    fail_fast: bool = False
    strict: bool = False
    lists: Lists = field(default_factory=Lists)
    alerts: Alerts = field(default_factory=Alerts)
    sharding: Sharding | None = None
    costs: Path | None = None
    engine: Engine | None = None


class Recording:
    """One backend's results as they come, in memory and in its journal, until it has ended."""

    def __init__(self, stem: str, header: Record, request: Request, earlier: Earlier) -> None:
        """Open the journal and repeat what is at hand; OSError where it cannot be written."""
        self.stem, self.header, self.request, self.earlier = stem, header, request, earlier
        self.spec: str = header["backend"]["spec"]
        self.ended = False
        self.checks = list(earlier.checks.values())
        self.journal = Journal(request.out, stem, header)
        for check in self.checks:
            self.journal.append(check)
        if self.journal.error:
            self.journal.discard()
            raise self.journal.error

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *raised: object) -> None:
        """Keep the journal of a backend that has not ended, and say so."""
        if self.ended:
            return
        if len(self.checks) == len(self.earlier.checks) and len(self.earlier.files) < 2:
            # It holds nothing, or what the one file it was resumed from holds.
            self.journal.discard()
        else:
            self.journal.close()
        if self.checks:
            kept = self.journal.path if self.journal.path.exists() else self.earlier.files[0]
            terminal.warn(
                f"{len(self.checks)} results so far are kept; to see them: "
                f"truestep report {shlex.quote(str(kept))}; to go on: {self._command(kept)}"
            )

    def add(self, result: CheckResult) -> None:
        """One check has ended."""
        check = certificate.recorded(result)
        self.checks.append(check)
        self.journal.append(check)

    def end(self, run: pool.Run) -> tuple[Judged | None, str]:
        """What the backend's run found, written; and what went wrong, in words."""
        if run.error is not None:
            return None, str(run.error)
        if run.unavailable is not None and self.checks:
            return None, f"{self.spec} cannot be run any more: {run.unavailable}"
        if error := self.journal.error:
            told = f"{self.journal.path}: {error.strerror}"
            terminal.warn(f"{told}: results after it are in memory only")
        lists = self.request.lists
        checks = [lists.marked(run.backend_name, check) for check in self.checks]
        found = judged(self.header, run, checks)
        try:
            # A certificate that nobody can read must not be written.
            certificate.checked(found.certificate)
        except ValueError as error:
            told = f"{self.spec}: the results make no certificate: {error}"
            raise ClickException(told) from error
        try:
            self._write(found)
        except OSError as error:
            self.ended = True
            self.journal.close()
            return found, f"{told_of(error, self.request.out)}; results are kept in {self._kept()}"
        self.ended = True
        self.journal.discard()
        for path in self.earlier.files:
            if path.name.endswith(ENDING):
                path.unlink(missing_ok=True)
        return found, ""

    def _write(self, found: Judged) -> None:
        if not self.request.force:
            header = found.certificate
            self.stem, why = naming.free_stem(self.request.out, self.stem, header)
            if why:
                terminal.warn(f"{why}; this run is in {self.stem}.json (--force overwrites)")
        found.write(self.request.out, self.stem)

    def _kept(self) -> str:
        gone = "memory alone: the journal was removed"
        return str(self.journal.path) if self.journal.path.exists() else gone

    def _command(self, journal: Path) -> str:
        """The command that goes on from a journal."""
        asked = self.request
        words = ["truestep", "certify", self.spec, "--resume", str(journal)]
        words += [word for spec, _ in own.specs() for word in ("--rules", spec)]
        words += ["--only", asked.only] if asked.only is not None else []
        if asked.sharding is not None:
            words += ["--shard", f"{asked.sharding.part.index}/{asked.sharding.part.of}"]
        words += ["--costs", str(asked.costs)] if asked.costs is not None else []
        words += ["--level", asked.level, "--seed", str(asked.seed), "--out", str(asked.out)]
        words += asked.lists.options
        return shlex.join(words)


def told_of(error: OSError, out: Path) -> str:
    """One line for what could not be written."""
    return f"cannot write {error.filename or out}: {error.strerror or error}"
