"""Certifying from the command line.

Results stream into journals and onto a progress bar; each backend's become its certificate, which
is written as soon as the backend has ended; at last all of them are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from click import ClickException

from truestep.properties.judge.results import CheckResult
from truestep.properties.run import conduct, pool
from truestep.properties.run.shards import Shard
from truestep.reports import certificate, environment, files, known, numbers, prose, terminal
from truestep.reports.certificate import Certificate, Record
from truestep.reports.judged import Judged
from truestep.reports.merge import seconds_of
from truestep.reports.recording import Recording, Request, Sharding, told_of
from truestep.reports.resume import Earlier, earlier
from truestep.reports.stopping import stoppable

if TYPE_CHECKING:
    from truestep.reports.spread import Spread

__all__ = ["Request", "certify", "sharding"]


def certify(specs: Sequence[str], request: Request) -> int:
    """Judge backends, write what was found of each, show it; the exit status."""
    with stoppable():
        return _certify(specs, request)


def sharding(text: str, costs: Certificate | None) -> Sharding:
    """The part that "i/n" names, balanced by a certificate's seconds; raises ClickException."""
    index, slash, of = text.partition("/")
    if not (slash and index.isdecimal() and of.isdecimal()):
        raise ClickException(f"--shard: {text!r} is not of the form i/n, as 3/7")
    record: dict[str, object] = {"index": int(index), "of": int(of)}
    if costs is not None:
        record["costs"] = costs["sha256"]
    try:
        part = Shard(int(index), int(of), seconds_of(costs) if costs else {})
    except ValueError as error:
        raise ClickException(f"--shard: {error}") from error
    return Sharding(part, record)


def _certify(specs: Sequence[str], request: Request) -> int:
    ended: dict[str, Judged] = {}
    runs: list[pool.Run] = []
    problems: list[str] = []
    progress = terminal.Progress(specs, quiet=request.as_json)
    with ExitStack() as stack:
        spread = _spread(specs, request)
        recordings = {
            recording.spec: stack.enter_context(recording)
            for recording in _recordings(_headers(specs, request, spread), request)
        }
        stack.enter_context(progress)

        def advance(spec: str, result: CheckResult) -> None:
            recordings[spec].add(result)
            progress.advance(result)

        def end(spec: str, run: pool.Run) -> None:
            runs.append(run)
            found, problem = recordings[spec].end(run)
            if found is not None:
                ended[spec] = found
            problems.extend(filter(None, [problem]))

        done = {
            spec: {
                id: pool.Done.of(check.get("extra", {}))
                for id, check in recording.earlier.checks.items()
            }
            for spec, recording in recordings.items()
        }
        if spread is not None:
            spread.certify_all(done=done, on_start=progress.start, on_result=advance, on_end=end)
        else:
            pool.certify_all(
                list(recordings), only=request.only, level=request.level, seed=request.seed,
                workers=request.workers or environment.usable_cpus(), done=done,
                part=request.sharding.part if request.sharding else None,
                fail_fast=request.fail_fast, skipped=request.lists.skipped,
                on_start=progress.start, on_result=advance, on_end=end,
            )  # fmt: skip
    found = [ended[spec] for spec in recordings if spec in ended]
    stem = "report" if len(recordings) > 1 else next(iter(recordings.values())).stem
    if len(recordings) > 1 and found:
        problems += _side_by_side(found, request, stem)
    problems += request.lists.unmatched(runs)
    _show(found, request, alone=len(recordings) == 1)
    problems += request.alerts.raised([each.certificate for each in found])
    if found and not (problems or request.as_json):
        terminal.show_path(request.out / f"{stem}.html")
    for line in problems:
        terminal.warn(line)
    passing = [line for each in found for line in request.lists.passing(each.certificate)]
    for line in passing:
        terminal.warn(line)
    statuses = [_status(each, request) for each in found]
    return max([2 if problems else 0, int(bool(passing)), *statuses])


def _status(found: Judged, request: Request) -> int:
    """The exit status that a backend's certificate gives."""
    document = found.certificate
    if "shard" in document and not any(c["kind"] != conduct.KIND for c in document["checks"]):
        terminal.warn(f"no check of {document['backend']['name']} is in {prose.shard(document)}")
        return 2 if document["backend"]["unavailable"] else 0
    return max(known.status(document), request.strict and bool(found.departures))


def _spread(specs: Sequence[str], request: Request) -> Spread | None:
    """The run on an engine, its checks listed there; None where this machine's processes run it."""
    engine = request.engine
    if engine is None:
        return None
    from truestep.reports.spread import Spread, Task  # with the judge

    tasks = [Task(s, request.only, request.level, request.seed) for s in dict.fromkeys(specs)]
    return Spread(tasks, engine.executors, needs=engine.needs, units=engine.units)


def _headers(specs: Sequence[str], request: Request, spread: Spread | None) -> list[Record]:
    """The certificates' headers, of where the checks are run."""
    shard = request.sharding.record if request.sharding else None
    return [
        spread.header(spec)
        if spread is not None
        else certificate.header_of(spec, request.only, request.level, request.seed, shard)
        for spec in dict.fromkeys(specs)
    ]


def _recordings(headers: Sequence[Record], request: Request) -> Iterator[Recording]:
    """One for each backend, under a file name of its own."""
    # The page of several backends has this name.
    stems = ["report"]
    shard = request.sharding.record if request.sharding else None
    at_hand = earlier(request.resume, headers) if request.resume else {}
    for header in headers:
        spec = header["backend"]["spec"]
        stem = files.stem_of(spec)
        if shard:
            stem += f"-{shard['index']}-of-{shard['of']}"
        stems.append(numbers.distinct(stem, stems, "{}-{}"))
        try:
            yield Recording(stems[-1], header, request, at_hand.get(spec, Earlier()))
        except OSError as error:
            told = f"--out {request.out}: cannot write: {error.strerror or error}"
            raise ClickException(told) from error


def _side_by_side(found: Sequence[Judged], request: Request, stem: str) -> list[str]:
    """Write the report of all; a line if it cannot be written."""
    try:
        from truestep.reports.page import build  # with what renders it

        files.write_report(build([each.certificate for each in found]), request.out, stem)
    except OSError as error:
        return [told_of(error, request.out)]
    return []


def _show(found: Sequence[Judged], request: Request, *, alone: bool) -> None:
    if request.as_json and found:
        documents = [each.certificate for each in found]
        print(certificate.dumps(documents[0] if alone else documents), end="")
    elif not request.as_json:
        for each in found:
            terminal.show_page(each.page)
