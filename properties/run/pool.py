"""Runs a backend's checks in processes of their own: a crash costs one check, not the run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from truestep.fast import discovery
from truestep.fast.discovery import BrokenBackend, UnknownBackend
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.judge.records import named, snippet
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.plan import (
    LEVELS,
    Check,
    checks_of,
    matching,
    replay_check,
    run_check,
    unjudged,
)

__all__ = ["LEVELS", "BrokenBackend", "Run", "UnknownBackend", "certify", "replay"]

# Seconds without a sign of life after which a worker hangs: no step on small tensors takes this
# long, except where a kernel is compiled on its first call.
PATIENCE = {"smoke": 60.0, "standard": 60.0, "deep": 300.0}
# Loading a backend may import a large library from a cold disk.
LOADING = 300.0
# After so many crashes or hangs of one capability, its other checks are not run.
STRIKES = 2


@dataclass(slots=True)
class Run:
    """The outcome of a run: results in the order they ended, or why nothing could run."""

    backend_name: str
    results: list[CheckResult] = field(default_factory=list)
    unavailable: str | None = None
    seconds: float = 0.0


def certify(
    backend: str,
    *,
    only: str | None = None,
    level: str = "standard",
    seed: int = 0,
    workers: int = 0,
    patience: float | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_result: Callable[[CheckResult], None] = lambda _: None,
) -> Run:
    """Run every check of a backend that matches the glob only, and stream the results.

    workers: number of processes, 0 for one per core. patience: seconds without a sign of life after
    which a worker counts as hanging. Raises UnknownBackend or BrokenBackend when there is nothing
    to run, ValueError for an unknown level or a glob that matches no check.
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}; got {level!r}")
    begin = time.perf_counter()
    pool = _Pool(backend, level, seed, patience or PATIENCE[level], workers or os.cpu_count() or 1)
    try:
        name, checks = pool.open()
        chosen = matching(checks, only)
        if not chosen:
            raise ValueError(f"no check of {name} matches {only!r}; one is {checks[0].id!r}")
        run = Run(name)
        on_start(len(chosen))
        for result in pool.work(chosen):
            run.results.append(result)
            on_result(result)
    except BackendUnavailable as reason:
        run = Run(backend, unavailable=str(reason))
    finally:
        pool.close()
    run.seconds = time.perf_counter() - begin
    return run


def replay(backend: str, entry: Mapping[str, Any]) -> CheckResult:
    """Run the recorded case of a certificate's check again, in this process.

    entry: a check of a certificate. Raises ValueError if the backend has no such check any more, or
    no case was recorded.
    """
    loaded = discovery.load(backend)
    checks = {check.id: check for check in checks_of(loaded)}
    if entry["id"] not in checks:
        raise ValueError(f"{backend} has no check {entry['id']!r}")
    worst = entry.get("worst") or {}
    if "case" not in worst:
        raise ValueError(f"check {entry['id']!r} has no recorded case")
    return named(replay_check(loaded, checks[entry["id"]], worst["case"]), backend)


@dataclass(slots=True)
class _Worker:
    """A process, the pipe to it, and what it is at."""

    process: Any
    pipe: Connection
    check: Check | None = None
    case: Any = None
    seen: float = 0.0
    ready: bool = False


class _Pool:
    """Workers that each load the backend and run one check at a time."""

    def __init__(self, spec: str, level: str, seed: int, patience: float, size: int) -> None:
        self.arguments = (spec, level, seed)
        self.patience = patience
        self.size = size
        self.workers: list[_Worker] = []
        self.context = multiprocessing.get_context("spawn")

    def open(self) -> tuple[str, list[Check]]:
        """Start the first worker: the backend's name and checks; raises what loading it raised."""
        worker = self._start()
        message = self._greeting(worker)
        if message[0] == "ready":
            worker.ready = True
            return message[1], message[2]
        kind, text = message[1], message[2]
        raise {"unavailable": BackendUnavailable, "unknown": UnknownBackend}.get(
            kind, BrokenBackend
        )(text)

    def work(self, checks: Sequence[Check]) -> Any:
        """Yield the result of every check as it ends."""
        waiting, idle = deque(checks), 0
        strikes: Counter[int] = Counter()
        capability = {check.id: id(check.capability) for check in checks}
        while len(self.workers) < min(self.size, len(checks)):
            self._start()
        while waiting or any(worker.check for worker in self.workers):
            for worker in self.workers:
                while worker.ready and worker.check is None and waiting:
                    check = waiting.popleft()
                    if strikes[capability[check.id]] >= STRIKES:
                        yield unjudged(
                            check, "not_run", f"not run after {STRIKES} crashes of this capability"
                        )
                        continue
                    worker.check, worker.case, worker.seen = check, None, time.monotonic()
                    _send(worker.pipe, check.id)
            for worker, result, broken in self._listen():
                if broken and worker.check is not None:
                    strikes[capability[worker.check.id]] += 1
                elif broken and (idle := idle + 1) > STRIKES:
                    raise BrokenBackend(f"{self.arguments[0]}: its processes die while loading it")
                if broken:
                    self._replace(worker)
                worker.check = None
                if result is not None:
                    yield result

    def close(self) -> None:
        """End every worker."""
        for worker in self.workers:
            _send(worker.pipe, None)
        for worker in self.workers:
            worker.process.join(1.0)
            _kill(worker.process)
        self.workers.clear()

    def _start(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        threads = str(max(1, (os.cpu_count() or 1) // self.size))
        inherited = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = inherited or threads
        try:
            process = self.context.Process(
                target=_serve, args=(theirs, *self.arguments), daemon=True
            )
            process.start()
        finally:
            if inherited is None:
                del os.environ["OMP_NUM_THREADS"]
        theirs.close()
        worker = _Worker(process, ours, seen=time.monotonic())
        self.workers.append(worker)
        return worker

    def _greeting(self, worker: _Worker) -> Any:
        if not worker.pipe.poll(LOADING):
            return ("failed", "broken", f"{self.arguments[0]}: loading it took too long")
        try:
            return worker.pipe.recv()
        except EOFError:
            worker.process.join(5.0)
            died = _death(worker.process.exitcode)
            return ("failed", "broken", f"{self.arguments[0]}: loading it {died}")

    def _replace(self, worker: _Worker) -> None:
        _kill(worker.process)
        worker.pipe.close()
        self.workers.remove(worker)
        self._start()

    def _listen(self) -> list[tuple[_Worker, CheckResult | None, bool]]:
        """Ended checks as (worker, result, whether the worker is lost), after at most a second."""
        ended: list[tuple[_Worker, CheckResult | None, bool]] = []
        by_pipe = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(by_pipe), timeout=0.5):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join(5.0)
                died = f"the process {_death(worker.process.exitcode)}"
                ended.append((worker, self._lost(worker, died), True))
                continue
            worker.seen = time.monotonic()
            if message[0] == "case":
                worker.case = message[1]
            elif message[0] == "ready":
                worker.ready = True
            elif message[0] == "failed":
                raise BrokenBackend(f"a second worker could not load the backend: {message[2]}")
            elif message[0] == "result":
                ended.append((worker, message[1], False))
        for worker in self.workers:
            if worker.check is None or any(worker is w for w, _, _ in ended):
                continue
            if time.monotonic() - worker.seen > self.patience:
                hung = f"no answer within {self.patience:g} s; the process was stopped"
                ended.append((worker, self._lost(worker, hung), True))
        return ended

    def _lost(self, worker: _Worker, reason: str) -> CheckResult | None:
        check = worker.check
        if check is None:
            return None
        lines = [f"{check.capability.rule} ({check.capability.format}): {reason}"]
        if worker.case is None:
            return unjudged(check, "crashed", lines[0])
        lines += snippet(check.id, worker.case)
        result = unjudged(check, "crashed", "\n".join(lines), {"case": worker.case})
        return named(result, self.arguments[0])


def _death(code: int | None) -> str:
    if code is None:
        return "closed its pipe"
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"exited with status {code}"


def _kill(process: Any) -> None:
    if process.is_alive():
        process.kill()
        process.join(5.0)


def _send(pipe: Connection, message: Any) -> None:
    try:
        pipe.send(message)
    except (BrokenPipeError, OSError):
        return  # the reader notices that the other end is gone


def _serve(pipe: Connection, spec: str, level: str, seed: int) -> None:
    """A worker's life: load the backend, then run the checks it is told to."""
    os.dup2(2, 1)  # what a backend prints must not enter the caller's document
    try:
        backend = discovery.load(spec)
        checks = {check.id: check for check in checks_of(backend)}
    except BackendUnavailable as reason:
        _send(pipe, ("failed", "unavailable", str(reason)))
        return
    except UnknownBackend as reason:
        _send(pipe, ("failed", "unknown", str(reason)))
        return
    except Exception as reason:
        _send(pipe, ("failed", "broken", str(reason) or type(reason).__name__))
        return
    _send(pipe, ("ready", backend.name, list(checks.values())))
    while (task := pipe.recv()) is not None:
        check = checks[task]
        try:
            result = run_check(
                backend,
                check,
                level=level,
                seed=seed,
                started=lambda case: _send(pipe, ("case", case)),
            )
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            result = unjudged(check, "crashed", f"the check itself failed: {text}")
        _send(pipe, ("result", named(result, spec)))
