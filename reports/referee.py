"""Judging submissions to published tasks from the command line."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from click import ClickException

from truestep.fast.locating import BrokenBackend, UnknownBackend
from truestep.fast.protocol import Level
from truestep.fast.wrapped.submissions import asked as wanted
from truestep.fast.wrapped.submissions import formats
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.run.hosted import PATIENCE
from truestep.properties.run.referee import Refereed, refereed
from truestep.reports import certificate, files, naming, terminal
from truestep.reports.judged import judged
from truestep.reports.recording import told_of
from truestep.reports.stopping import stoppable
from truestep.reports.verdicts import RUNS

# Seeds that are drawn: no submission can have prepared itself for the inputs of one.
_SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class Request:
    """What referee is asked beside the submission. seed: None to draw one."""

    only: str | None
    level: Level
    out: Path
    seed: int | None
    as_json: bool


def referee(
    path: Path, rule: str, settings: Sequence[str], arithmetic: str, request: Request
) -> int:
    """Judge a submission, write what was found, show it; the exit status."""
    try:
        asked = wanted.asked(rule, settings, arithmetic)
        if asked.arithmetic:
            arithmetic_of(asked.arithmetic)
        formats.found(path)
    except (BrokenBackend, UnknownBackend, ValueError) as error:
        raise ClickException(str(error)) from error
    spec = f"submission:{path}@{asked.text}"
    seed = secrets.randbelow(_SEEDS) if request.seed is None else request.seed
    header = certificate.header_of(spec, request.only, request.level, seed)
    with stoppable(), terminal.Progress([str(path)], quiet=request.as_json) as progress:
        try:
            found = refereed(
                spec, asked, only=request.only, level=request.level, seeds=(seed, seed + 1),
                patience=PATIENCE[request.level],
                on_start=lambda count: progress.start(str(path), count),
                on_result=progress.advance,
            )  # fmt: skip
        except (BrokenBackend, UnknownBackend, ValueError) as error:
            raise ClickException(str(error)) from error
    return _written(found, header, request)


def _written(found: Refereed, header: certificate.Record, request: Request) -> int:
    checks = [certificate.plain(result.to_json()) for result in found.run.results]
    made = judged(header, found.run, checks)
    status: int = RUNS[made.certificate["verdict"]].status
    if request.as_json:
        print(certificate.dumps(made.certificate), end="")
    else:
        terminal.show_page(made.page)
        terminal.show_timed(found.copies, found.elements)
    stem, why = naming.free_stem(request.out, files.stem_of(header["backend"]["spec"]), header)
    try:
        page = made.write(request.out, stem)
    except OSError as error:
        raise ClickException(told_of(error, request.out)) from error
    if not request.as_json:
        terminal.show_path(page)
    if why:
        terminal.warn(f"{why}; this run is in {stem}.json")
    return status
