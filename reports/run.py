"""Certifying and replaying from the command line: progress, journal, certificate, report."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
from click import ClickException

from truestep.reports import certificate as certificates
from truestep.reports import environment, files, terminal
from truestep.reports.certificate import EXIT_STATUS, Certificate
from truestep.reports.findings import findings_for
from truestep.reports.isolation import CannotReplay, Replayer
from truestep.reports.journal import Journal
from truestep.reports.summary import FAILING


def certify(
    spec: str,
    *,
    only: str | None,
    level: str,
    out: Path,
    seed: int,
    workers: int | None,
    as_json: bool,
) -> int:
    """Judge a backend, write its certificate and report into out, show it; the exit status."""
    header = certificates.header_of(
        spec=spec, only=only, level=level, seed=seed,
        suite=environment.suite(), environment=environment.environment(),
    )  # fmt: skip
    stem = files.stem_of(spec)
    journal = _opened(out, stem, header)
    checks: list[dict[str, Any]] = []

    def record(result: Any, progress: terminal.Progress) -> None:
        check = certificates.plain(result.to_json())
        checks.append(check)
        journal.append(check)
        progress.advance(result)

    progress = terminal.Progress(spec, quiet=as_json)
    try:
        with progress:
            done = _judge(
                spec, only=only, level=level, seed=seed,
                workers=workers or environment.usable_cpus(),
                on_start=progress.start, on_result=lambda result: record(result, progress),
            )  # fmt: skip
    except BaseException as error:
        _keep_or_discard(journal, len(checks))
        # Before the first check starts, a ValueError is about what was asked for.
        if isinstance(error, _refusals()) or (isinstance(error, ValueError) and not progress.total):
            raise ClickException(str(error)) from error
        raise
    if not done.results and not done.unavailable:
        journal.discard()
        raise ClickException(
            f"--only {only!r} matches no check of {spec}"
            if only
            else f"{spec}: there is nothing to judge"
        )
    if journal.error:
        terminal.warn(
            f"{journal.path}: {journal.error.strerror}: results after it are in memory only"
        )
    header["backend"] = {"name": done.backend_name, "spec": spec, "unavailable": done.unavailable}
    results = [certificates.plain(result.to_json()) for result in done.results]
    document = certificates.build(
        header=header, checks=results, complete=True, seconds=done.seconds,
        findings=findings_for(done.backend_name, spec, results),
    )  # fmt: skip
    return _finish(document, out, stem, journal, as_json=as_json)


def _finish(document: Certificate, out: Path, stem: str, journal: Journal, *, as_json: bool) -> int:
    """Write everything, then show it; what cannot be written is still shown."""
    from truestep.reports.render import write_report

    if violation := certificates.first_violation(document):
        journal.close()
        raise ClickException(
            f"results do not follow the schema: {violation}; kept in {journal.path}"
        )
    problem, page = None, None
    try:
        files.write_atomically(out / f"{stem}.json", certificates.dumps(document))
        journal.discard()
        page = write_report([document], out, stem)
    except OSError as error:
        problem = f"{error.filename or out}: {error.strerror or error}"
    if as_json:
        click.echo(certificates.dumps(document), nl=False)
    else:
        terminal.show_certificate(document, page)
    if problem:
        kept = f"; results are kept in {journal.path}" if journal.path.exists() else ""
        raise ClickException(f"cannot write {problem}{kept}")
    return EXIT_STATUS[document["verdict"]]


def reproduce(path: Path, document: Certificate, wanted: str | None) -> int:
    """Replay what a certificate recorded: 0 if what ran passes, 1 if one fails, 2 if none ran."""
    checks = _recorded(path, document, wanted)
    statuses = set()
    with Replayer(document["backend"]["spec"], _runner().PATIENCE["deep"]) as replayer:
        for check in checks:
            try:
                found = replayer.replay(check)
            except CannotReplay as reason:
                terminal.show_not_replayed(check, str(reason))
                continue
            terminal.show_replay(check, found)
            if found["verdict"] in (*FAILING, "pass"):
                statuses.add(1 if found["verdict"] in FAILING else 0)
    return max(statuses, default=2)


def _recorded(path: Path, document: Certificate, wanted: str | None) -> list[Mapping[str, Any]]:
    checks: list[Mapping[str, Any]] = document["checks"]
    if wanted is not None:
        chosen = [c for c in checks if c["id"] == wanted] or [
            c for c in checks if fnmatchcase(c["id"], wanted)
        ]
        if not chosen:
            raise ClickException(
                f"{path}: no check has the id {wanted!r}; it records {len(checks)} checks"
            )
        return chosen
    chosen = [c for c in checks if c["worst"] is not None or c["verdict"] in FAILING]
    if not chosen:
        raise ClickException(f"{path}: records no worst case and no counterexample to re-run")
    # Failures first: they are what the reader came for.
    return sorted(chosen, key=lambda c: c["verdict"] not in FAILING)


def _opened(out: Path, stem: str, header: Mapping[str, Any]) -> Journal:
    try:
        return Journal(out, stem, header)
    except OSError as error:
        raise ClickException(f"--out {out}: cannot write: {error.strerror or error}") from error


def _keep_or_discard(journal: Journal, count: int) -> None:
    if count:
        journal.close()
        terminal.warn(
            f"{count} results so far are kept; to see them: truestep report {journal.path}"
        )
    else:
        journal.discard()


def _judge(spec: str, **options: Any) -> Any:
    return _runner().certify(spec, **options)


def _runner() -> Any:
    # Late: the runner imports NumPy and the whole suite, which --help need not wait for.
    return importlib.import_module("truestep.properties.run.pool")


def _refusals() -> tuple[type[Exception], ...]:
    from truestep.fast import discovery

    return (_runner().UnknownBackend, discovery.UnknownBackend, discovery.BrokenBackend)
