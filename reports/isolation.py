"""Replays in a process of their own: a recorded crash must not take the command line with it."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from truestep.properties.judge.results import CheckResult
from truestep.properties.run.pool import death
from truestep.properties.run.replay import replay
from truestep.reports import certificate
from truestep.reports.certificate import Record


class CannotReplay(Exception):
    """A check could not be replayed; the message says why."""


class Replayer:
    """Replays checks of one backend one after the other; a lost process is started again."""

    def __init__(self, spec: str, patience: float) -> None:
        """patience: seconds after which a replay counts as hanging."""
        self._spec, self._patience = spec, patience
        self._worker: tuple[SpawnProcess, Connection] | None = None

    def __enter__(self) -> Replayer:
        return self

    def __exit__(self, *raised: object) -> None:
        self._end()

    def replay(self, check: Record) -> CheckResult:
        """The check as it comes out now; verdict "crashed" if the process died or hung."""
        self._worker = self._worker or self._started()
        process, pipe = self._worker
        try:
            pipe.send(check)
            if pipe.poll(self._patience):
                found: CheckResult | str = pipe.recv()
                if isinstance(found, str):
                    raise CannotReplay(found)
                return found
            lost = f"no answer within {self._patience:g} s"
        except (EOFError, OSError):
            process.join(5.0)
            lost = f"the process {death(process.exitcode)}"
        self._end()
        recorded = certificate.result(check)
        return replace(recorded, verdict="crashed", utilisation=None, message=lost)

    def _started(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._spec), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def _end(self) -> None:
        if self._worker is not None:
            process, pipe = self._worker
            process.kill()
            process.join()
            pipe.close()
        self._worker = None


def _serve(pipe: Connection, spec: str) -> None:
    """Replay what comes until the pipe closes; a string says why one cannot be replayed."""
    os.dup2(2, 1)  # what a backend prints must not mix with the outcome
    while True:
        try:
            check = pipe.recv()
        except EOFError:
            return
        answer: CheckResult | str
        try:
            answer = replay(spec, check)
        except Exception as error:
            answer = str(error) or type(error).__name__
        pipe.send(answer)
