"""Replays in a process of their own: a recorded crash must not take the command line with it."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from truestep.reports.certificate import plain


class CannotReplay(Exception):
    """A check could not be replayed; the message says why."""


class Replayer:
    """Replays checks of one backend one after the other; a lost process is started again."""

    def __init__(self, spec: str, patience: float) -> None:
        """patience: seconds after which a replay counts as hanging."""
        self._spec, self._patience = spec, patience
        self._process: Any = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Replayer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def replay(self, check: Mapping[str, Any]) -> Mapping[str, Any]:
        """The check as it comes out now; verdict "crashed" if the process died or hung."""
        pipe = self._pipe or self._start()
        try:
            pipe.send(dict(check))
            if not pipe.poll(self._patience):
                self._end()
                return _crashed(check, f"no answer within {self._patience:g} s")
            found, problem = pipe.recv()
        except (EOFError, OSError):
            self._process.join(5.0)
            how = _death(self._process.exitcode)
            self._end()
            return _crashed(check, f"the process {how}")
        if problem:
            raise CannotReplay(problem)
        result: Mapping[str, Any] = found
        return result

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._spec), daemon=True)
        self._process.start()
        theirs.close()
        return self._pipe

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def _serve(pipe: Connection, spec: str) -> None:
    """Replay what comes until the pipe closes."""
    os.dup2(2, 1)  # what a backend prints must not mix with the outcome
    while True:
        try:
            check = pipe.recv()
        except EOFError:
            return
        try:
            result = importlib.import_module("truestep.properties.run.pool").replay(spec, check)
            answer: tuple[Any, str] = (plain(result.to_json()), "")
        except Exception as error:
            answer = (None, str(error) or type(error).__name__)
        pipe.send(answer)


def _crashed(check: Mapping[str, Any], message: str) -> dict[str, Any]:
    return {**check, "verdict": "crashed", "utilisation": None, "message": message}


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"exited with status {code}"
