"""Certifying and replaying from the command line.

Results stream into journals and onto a progress bar; each backend's become its certificate, which
is written as soon as the backend has ended; at last all of them are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from click import ClickException

from truestep.fast.protocol import Level
from truestep.properties.judge.results import CheckResult
from truestep.properties.run import pool
from truestep.reports import certificate, environment, files, numbers, terminal
from truestep.reports.certificate import Certificate, Record
from truestep.reports.isolation import CannotReplay, Replayer
from truestep.reports.journal import Journal
from truestep.reports.judged import Judged, judged
from truestep.reports.page import build
from truestep.reports.verdicts import FAILING, RUNS


@dataclass(frozen=True, slots=True)
class Request:
    """What certify is asked beside the backends. workers: None for one per processor."""

    only: str | None
    level: Level
    seed: int
    workers: int | None
    out: Path
    as_json: bool


class Recording:
    """One backend's results as they come, in memory and in its journal, until it has ended."""

    def __init__(self, stem: str, header: Record, out: Path) -> None:
        """Open the journal; raises OSError where the folder cannot be written."""
        self.stem, self.header, self.ended = stem, header, False
        self.checks: list[Record] = []
        self.journal = Journal(out, stem, header)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *raised: object) -> None:
        """Keep the journal of a backend that has not ended, and say so."""
        if self.checks and not self.ended:
            self.journal.close()
            terminal.warn(
                f"{len(self.checks)} results so far are kept; to see them: "
                f"truestep report {self.journal.path}"
            )
        elif not self.ended:
            self.journal.discard()

    def add(self, result: CheckResult) -> None:
        """One check has ended."""
        check = certificate.plain(result.to_json())
        self.checks.append(check)
        self.journal.append(check)

    def end(self, run: pool.Run, out: Path) -> tuple[Judged, str]:
        """What the backend's run found, written; and what could not be written, in words."""
        if error := self.journal.error:
            told = f"{self.journal.path}: {error.strerror}"
            terminal.warn(f"{told}: results after it are in memory only")
        found = judged(self.header, run, self.checks)
        if violation := certificate.first_violation(found.certificate):
            raise ClickException(f"results do not follow the schema: {violation}")
        self.ended = True
        try:
            found.write(out, self.stem)
        except OSError as error:
            self.journal.close()
            return found, f"{_told(error, out)}; results are kept in {self.journal.path}"
        self.journal.discard()
        return found, ""


def certify(specs: Sequence[str], request: Request) -> int:
    """Judge backends, write what was found of each, show it; the exit status."""
    ended: dict[str, Judged] = {}
    problems: list[str] = []
    progress = terminal.Progress(specs, quiet=request.as_json)
    with ExitStack() as stack:
        recordings = {
            recording.header["backend"]["spec"]: stack.enter_context(recording)
            for recording in _recordings(specs, request)
        }
        stack.enter_context(progress)

        def advance(spec: str, result: CheckResult) -> None:
            recordings[spec].add(result)
            progress.advance(result)

        def end(spec: str, run: pool.Run) -> None:
            problem = str(run.error or "")
            if run.error is None:
                ended[spec], problem = recordings[spec].end(run, request.out)
            problems.extend(filter(None, [problem]))

        pool.certify_all(
            list(recordings), only=request.only, level=request.level, seed=request.seed,
            workers=request.workers or environment.usable_cpus(),
            on_start=progress.start, on_result=advance, on_end=end,
        )  # fmt: skip
    found = [ended[spec] for spec in recordings if spec in ended]
    stem = "report" if len(recordings) > 1 else next(iter(recordings.values())).stem
    if len(recordings) > 1 and found:
        problems += _side_by_side(found, request.out, stem)
    _show(found, request, alone=len(recordings) == 1)
    if found and not (problems or request.as_json):
        # Plain print: a wrapped path cannot be clicked or piped.
        print((request.out / f"{stem}.html").resolve())
    for line in problems:
        terminal.warn(line)
    statuses = [RUNS[each.certificate["verdict"]].status for each in found]
    return max([2 if problems else 0, *statuses])


def _recordings(specs: Sequence[str], request: Request) -> Iterator[Recording]:
    """One for each backend, under a file name of its own."""
    stems: list[str] = []
    for spec in dict.fromkeys(specs):
        stems.append(numbers.distinct(files.stem_of(spec), stems, "{}-{}"))
        header = certificate.header_of(spec, request.only, request.level, request.seed)
        try:
            yield Recording(stems[-1], header, request.out)
        except OSError as error:
            told = f"--out {request.out}: cannot write: {error.strerror or error}"
            raise ClickException(told) from error


def _side_by_side(found: Sequence[Judged], out: Path, stem: str) -> list[str]:
    """Write the report of all; a line if it cannot be written."""
    try:
        files.write_report(build([each.certificate for each in found]), out, stem)
    except OSError as error:
        return [_told(error, out)]
    return []


def _show(found: Sequence[Judged], request: Request, *, alone: bool) -> None:
    if request.as_json and found:
        documents = [each.certificate for each in found]
        print(certificate.dumps(documents[0] if alone else documents), end="")
    elif not request.as_json:
        for each in found:
            terminal.show_page(each.page)


def _told(error: OSError, out: Path) -> str:
    return f"cannot write {error.filename or out}: {error.strerror or error}"


def reproduce(path: Path, document: Certificate, wanted: str | None) -> int:
    """Replay what a certificate recorded: 0 if what ran passes, 1 if one fails, 2 if none ran."""
    statuses = set()
    checks = _recorded(path, document, wanted)
    with Replayer(document["backend"]["spec"], pool.PATIENCE["deep"]) as replayer:
        for check in checks:
            recorded = certificate.result(check)
            try:
                found = replayer.replay(check)
            except CannotReplay as reason:
                terminal.show_not_replayed(recorded, str(reason))
                continue
            terminal.show_replay(recorded, found)
            if found.verdict in (*FAILING, "pass"):
                statuses.add(1 if found.verdict in FAILING else 0)
    return max(statuses, default=2)


def _recorded(path: Path, document: Certificate, wanted: str | None) -> Sequence[Record]:
    """The checks to replay, failures first: they are what the reader came for."""
    checks: list[Record] = document["checks"]
    if wanted is None:
        chosen = [c for c in checks if c["worst"] is not None or c["verdict"] in FAILING]
        missing = "records no worst case and no counterexample to re-run"
    else:
        chosen = [c for c in checks if c["id"] == wanted]
        chosen = chosen or [c for c in checks if fnmatchcase(c["id"], wanted)]
        missing = f"no check has the id {wanted!r}; it records {len(checks)} checks"
    if not chosen:
        raise ClickException(f"{path}: {missing}")
    return sorted(chosen, key=lambda c: c["verdict"] not in FAILING)
