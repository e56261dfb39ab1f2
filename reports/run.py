"""Certifying and replaying from the command line.

Results stream into a journal and onto a progress bar; each backend's become its certificate, which
is written as soon as the backend has ended; at last all of them are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from click import ClickException

from truestep.fast.discovery import BrokenBackend, UnknownBackend
from truestep.properties.judge.results import CheckResult
from truestep.properties.run import pool
from truestep.reports import certificate, environment, files, terminal
from truestep.reports import page as pages
from truestep.reports.certificate import Certificate, Record
from truestep.reports.isolation import CannotReplay, Replayer
from truestep.reports.journal import Journal
from truestep.reports.judged import document_of
from truestep.reports.verdicts import FAILING, RUNS


@dataclass(frozen=True, slots=True)
class Request:
    """What certify is asked beside the backends. workers: None for one per processor."""

    only: str | None
    level: str
    seed: int
    workers: int | None
    out: Path
    as_json: bool


class Recording:
    """One backend's results as they come: in memory, in the journal, on the progress bar."""

    def __init__(self, spec: str, stem: str, header: Record, request: Request) -> None:
        """Open the journal; raises OSError where the folder cannot be written."""
        self.spec, self.stem, self.header = spec, stem, header
        self.checks: list[Record] = []
        self.progress = terminal.Progress(spec, quiet=request.as_json)
        self.journal = Journal(request.out, stem, header)
        self.closed = False

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *raised: object) -> None:
        """Where no certificate was made of it, keep the journal, or remove an empty one."""
        if self.closed:
            return
        self.close(keep=bool(self.checks))
        if self.checks:
            terminal.warn(
                f"{len(self.checks)} results so far are kept; to see them: "
                f"truestep report {self.journal.path}"
            )

    def add(self, result: CheckResult) -> None:
        """One check has ended."""
        check = certificate.plain(result.to_json())
        self.checks.append(check)
        self.journal.append(check)
        self.progress.advance(result)

    def close(self, *, keep: bool) -> None:
        """End the journal."""
        self.closed = True
        if keep:
            self.journal.close()
        else:
            self.journal.discard()


def certify(specs: Sequence[str], request: Request) -> int:
    """Judge backends, write what each did into the folder, show it; the exit status."""
    documents: list[Certificate] = []
    shown: list[pages.Page] = []
    refused: list[str] = []
    problems: list[str] = []
    with ExitStack() as stack:
        recordings = [stack.enter_context(each) for each in _recordings(specs, request)]
        for recording, run in _runs(recordings, request):
            if isinstance(run, str):
                refused.append(run)
            else:
                documents.append(_certificate(recording, run))
                shown.append(pages.build(documents[-1:]))
                problems += _written(recording, documents[-1], shown[-1], request.out)
    name = recordings[0].stem if len(recordings) == 1 else "report"
    if len(recordings) > 1 and documents:
        try:
            files.write_report(pages.build(documents), request.out, name)
        except OSError as error:
            problems.append(_told(error, request.out))
    if request.as_json and documents:
        print(certificate.dumps(documents if len(recordings) > 1 else documents[0]), end="")
    elif documents:
        for page in shown:
            terminal.show_page(page)
        if not problems:
            # Plain print: a wrapped path cannot be clicked or piped.
            print((request.out / f"{name}.html").resolve())
    for line in [*refused, *problems]:
        terminal.warn(line)
    failed = 2 if refused or problems else 0
    return max([failed, *(RUNS[document["verdict"]].status for document in documents)])


def _recordings(specs: Sequence[str], request: Request) -> Iterator[Recording]:
    """One for each backend, under a file name of its own."""
    suite, where, stems = environment.suite(), environment.environment(), set[str]()
    for spec in dict.fromkeys(specs):
        number, stem = 1, files.stem_of(spec)
        while stem in stems:
            number += 1
            stem = f"{files.stem_of(spec)}-{number}"
        stems.add(stem)
        header = certificate.header_of(
            spec=spec, only=request.only, level=request.level, seed=request.seed, suite=suite,
            environment=where,
        )  # fmt: skip
        try:
            yield Recording(spec, stem, header, request)
        except OSError as error:
            told = f"--out {request.out}: cannot write: {error.strerror or error}"
            raise ClickException(told) from error


def _runs(
    recordings: Sequence[Recording], request: Request
) -> Iterator[tuple[Recording, pool.Run | str]]:
    """Each backend's run as it ends, or why there is none: the one place that calls the engine."""
    for recording in recordings:
        run: pool.Run | str
        try:
            with recording.progress as progress:
                run = pool.certify(
                    recording.spec, only=request.only, level=request.level, seed=request.seed,
                    workers=request.workers or environment.usable_cpus(),
                    on_start=progress.start, on_result=recording.add,
                )  # fmt: skip
        except (UnknownBackend, BrokenBackend) as error:
            run = str(error)
        except ValueError as error:
            # Before the first check starts, a ValueError is about what was asked for.
            if progress.total:
                raise
            run = str(error)
        yield recording, run


def _certificate(recording: Recording, run: pool.Run) -> Certificate:
    journal = recording.journal
    if journal.error:
        told = journal.error.strerror
        terminal.warn(f"{journal.path}: {told}: results after it are in memory only")
    document = document_of(recording.header, run, recording.checks)
    if violation := certificate.first_violation(document):
        raise ClickException(f"results do not follow the schema: {violation}")
    return document


def _written(recording: Recording, document: Certificate, page: pages.Page, out: Path) -> list[str]:
    """Write a backend's certificate and report; a line of what could not be written."""
    try:
        files.write_atomically(out / f"{recording.stem}.json", certificate.dumps(document))
        recording.close(keep=False)
        files.write_report(page, out, recording.stem)
    except OSError as error:
        if recording.closed:
            return [_told(error, out)]
        recording.close(keep=True)
        return [f"{_told(error, out)}; results are kept in {recording.journal.path}"]
    return []


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
