"""A submission judged, timed, and judged again on fresh inputs, from the run's side.

One process of the submission sees it all, so that a kernel which is right only as long as it is
watched fails. What it gives back while it is timed is judged too. The clock is the judge's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING

from truestep.fast.discovery import BrokenBackend
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.pool import Run
from truestep.properties.run.stopwatch import Stopwatch
from truestep.properties.run.warden import Warden

if TYPE_CHECKING:
    from truestep.fast.protocol import Level
    from truestep.fast.wrapped.submissions.asked import Asked

# Seconds without a word after which the judge's process counts as hanging, its calls included.
_SILENCE = 900.0
_LOOK = 0.5


@dataclass(slots=True)
class Refereed:
    """run: as of any backend, every check with what all rounds found. copies: a step's time, by
    that of a copy of the bytes that it reads and writes; None where it was not timed.
    """

    run: Run
    copies: float | None = None
    elements: int = 0


def refereed(
    spec: str,
    asked: Asked,
    *,
    only: str | None = None,
    level: Level = "standard",
    seeds: tuple[int, int] = (0, 1),
    patience: float = 60.0,
    on_start: Callable[[int], None] = lambda _: None,
    on_result: Callable[[CheckResult], None] = lambda _: None,
) -> Refereed:
    """Judge, time and judge again what spec names; seeds: of the first round and of the last.

    Raises what loading it raises, ValueError where no check matches only.
    """
    begin, out = time.perf_counter(), Refereed(Run(spec))
    ours, theirs = Pipe()
    warden = Warden()
    told = [os.getpid(), theirs.fileno(), spec, asked.text, only, level, seeds, patience]
    process = subprocess.Popen(
        [sys.executable, "-m", "truestep.properties.run.rounds", json.dumps(told)],
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        env={**os.environ, **warden.environment},
    )
    theirs.close()
    try:
        _listen(ours, process, out, on_start, on_result)
    finally:
        process.kill()
        process.wait()
        ours.close()
        warden.close()
    out.run.seconds = time.perf_counter() - begin
    return out


def _listen(
    pipe: Connection,
    process: subprocess.Popen[bytes],
    out: Refereed,
    on_start: Callable[[int], None],
    on_result: Callable[[CheckResult], None],
) -> None:
    watch = Stopwatch(process.pid, _LOOK)
    while True:
        if not pipe.poll(_LOOK):
            if watch.look() > _SILENCE:
                raise BrokenBackend(f"{out.run.backend_name}: its judge gave no answer")
            continue
        try:
            kind, *rest = pipe.recv()
        except (EOFError, OSError):
            raise BrokenBackend(f"{out.run.backend_name}: its judge's process ended") from None
        watch = Stopwatch(process.pid, _LOOK)
        if kind == "failed":
            if not isinstance(rest[0], BackendUnavailable):
                raise rest[0]
            out.run.unavailable = str(rest[0])
            return
        if kind == "ready":
            out.run.backend_name, _, out.run.declaration = rest
        elif kind == "count":
            on_start(rest[0])
        elif kind == "result":
            on_result(rest[0])
        elif kind == "timed":
            out.copies, out.elements = rest
        else:
            out.run.results = rest[0]
            return
