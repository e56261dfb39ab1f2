"""Runs backends' checks in processes of their own: a crash costs one check, not the run.

Over 300 lines, for both ends of the pipe between a run and its processes.
"""

import multiprocessing
import os
import signal
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from truestep.fast import discovery
from truestep.fast.discovery import BrokenBackend, UnknownBackend
from truestep.fast.protocol import BackendUnavailable, Level
from truestep.properties.judge.records import named, snippet
from truestep.properties.judge.results import Check, CheckResult
from truestep.properties.judge.tally import Case
from truestep.properties.run.plan import LEVELS, alike, checks_of, matching, run_check

__all__ = ["LEVELS", "BrokenBackend", "Run", "UnknownBackend", "certify", "certify_all"]

# Seconds without a sign of life after which a worker hangs: no step on small tensors takes this
# long, except where a kernel is compiled on its first call.
PATIENCE = {"smoke": 60.0, "standard": 60.0, "deep": 300.0}
# Loading a backend may import a large library from a cold disk.
LOADING = 300.0
# After so many crashes or hangs of one capability, its other checks are not run.
STRIKES = 2

Problem = UnknownBackend | BrokenBackend | BackendUnavailable | ValueError


@dataclass(slots=True)
class Run:
    """The outcome of a run: results in the order they ended, or why nothing could run.

    error: what certify raises, where the backend is unknown or broken, or no check matches.
    """

    backend_name: str
    results: list[CheckResult] = field(default_factory=list)
    unavailable: str | None = None
    seconds: float = 0.0
    error: Exception | None = None


def certify(
    backend: str,
    *,
    only: str | None = None,
    level: Level = "standard",
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
    [run] = certify_all(
        [backend],
        only=only,
        level=level,
        seed=seed,
        workers=workers,
        patience=patience,
        on_start=lambda _, count: on_start(count),
        on_result=lambda _, result: on_result(result),
    )
    if run.error is not None:
        raise run.error
    return run


def certify_all(
    backends: Sequence[str],
    *,
    only: str | None = None,
    level: Level = "standard",
    seed: int = 0,
    workers: int = 0,
    patience: float | None = None,
    done: Mapping[str, Collection[str]] = {},
    on_start: Callable[[str, int], None] = lambda *_: None,
    on_result: Callable[[str, CheckResult], None] = lambda *_: None,
    on_end: Callable[[str, Run], None] = lambda *_: None,
) -> list[Run]:
    """Run the checks of several backends in one pool; a Run for each, in their order.

    done: ids of checks by backend that are not run, since their results are at hand.
    on_start(backend, count) once its checks are known, on_result for each that ends, on_end when
    the backend's last has ended. Raises ValueError for an unknown level.
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}; got {level!r}")
    pool = _Pool(level, seed, patience or PATIENCE[level], workers or os.cpu_count() or 1)
    jobs = [_Job(spec, only, done.get(spec, ())) for spec in dict.fromkeys(backends)]
    try:
        for job, event in pool.work(jobs):
            if isinstance(event, int):
                on_start(job.spec, event)
            elif isinstance(event, Run):
                on_end(job.spec, event)
            else:
                on_result(job.spec, event)
    finally:
        pool.close()
    by_spec = {job.spec: job.run for job in jobs}
    return [by_spec[spec] for spec in backends]


class _Job:
    """One backend's checks: those that wait, in groups that share evaluations of the reference."""

    def __init__(self, spec: str, only: str | None, done: Collection[str]) -> None:
        self.spec, self.only, self.done = spec, only, done
        self.run = Run(spec)
        self.known = False
        self.ended = False
        self.open = 0
        self.waiting: deque[deque[Check]] = deque()
        self.strikes: Counter[int] = Counter()
        self.idle_deaths = 0
        self.begin = time.perf_counter()

    def learn(self, name: str, checks: Sequence[Check]) -> int:
        """Take the backend's name and checks; the number of those that are to run."""
        self.known, self.run.backend_name = True, name
        chosen = matching(checks, self.only)
        if not chosen:
            raise ValueError(f"no check of {name} matches {self.only!r}; one is {checks[0].id!r}")
        chosen = [check for check in chosen if check.id not in self.done]
        groups: dict[Hashable, deque[Check]] = {}
        for check in chosen:
            groups.setdefault(alike(check), deque()).append(check)
        self.waiting.extend(groups.values())
        self.open = len(chosen)
        return self.open

    def struck(self, check: Check) -> bool:
        """Whether the capability of this check has crashed often enough."""
        return self.strikes[id(check.capability)] >= STRIKES


Event = int | CheckResult | Run


@dataclass(slots=True)
class _Worker:
    """A process that has loaded one backend, the pipe to it, and what it is at."""

    job: _Job
    process: SpawnProcess
    pipe: Connection
    group: deque[Check] = field(default_factory=deque)
    check: Check | None = None
    case: Case | None = None
    seen: float = 0.0
    ready: bool = False


class _Pool:
    """Workers that each load one backend at a time, and run one check of it at a time."""

    def __init__(self, level: Level, seed: int, patience: float, size: int) -> None:
        self.level, self.seed, self.patience, self.size = level, seed, patience, size
        self.workers: list[_Worker] = []
        self.context = multiprocessing.get_context("spawn")

    def work(self, jobs: Sequence[_Job]) -> Iterator[tuple[_Job, Event]]:
        """Yield the number of checks of every job, the result of each as it ends, and its run."""
        while any(not job.ended for job in jobs):
            self._staff(jobs)
            for worker in list(self.workers):
                yield from self._assign(worker)
            for worker, message in self._listen():
                yield from self._heard(worker, message)
            for job in jobs:
                if job.known and not job.open and not job.ended:
                    yield from self._end(job)

    def close(self) -> None:
        """End every worker."""
        for worker in self.workers:
            _send(worker.pipe, None)
        for worker in self.workers:
            worker.process.join(1.0)
            _kill(worker.process)
        self.workers.clear()

    def _staff(self, jobs: Sequence[_Job]) -> None:
        """Give each free place to a job that nobody is at, else to the one that waits for most."""
        while len(self.workers) < self.size:
            at = Counter(id(worker.job) for worker in self.workers)
            unknown = [job for job in jobs if not job.known and not job.ended and not at[id(job)]]
            begun = [job for job in jobs if job.known and len(job.waiting) > at[id(job)]]
            if not unknown and not begun:
                return
            neglected = [job for job in begun if not at[id(job)]]
            crowd = neglected or ([] if unknown else begun)
            self._start(max(crowd, key=lambda job: len(job.waiting)) if crowd else unknown[0])

    def _assign(self, worker: _Worker) -> Iterator[tuple[_Job, Event]]:
        """Send a ready worker its next check; let it go where there is none."""
        job = worker.job
        while worker.ready and worker.check is None:
            if not worker.group:
                if not job.waiting:
                    self._dismiss(worker)
                    return
                worker.group = job.waiting.popleft()
            check = worker.group.popleft()
            if job.struck(check):
                told = f"not run after {STRIKES} crashes of this capability"
                yield from self._ended(job, check.result("not_run", message=told))
                continue
            worker.check, worker.case, worker.seen = check, None, time.monotonic()
            _send(worker.pipe, check.id)

    def _heard(self, worker: _Worker, message: tuple[object, ...]) -> Iterator[tuple[_Job, Event]]:
        job, (kind, *rest) = worker.job, message
        if kind == "case":
            worker.case = rest[0]  # type: ignore[assignment]
        elif kind == "ready":
            worker.ready = True
            if not job.known:
                name, checks = rest
                try:
                    yield job, job.learn(name, checks)  # type: ignore[arg-type]
                except ValueError as error:
                    yield from self._end(job, error)
        elif kind == "failed":
            yield from self._end(job, rest[0])  # type: ignore[arg-type]
        elif kind == "result":
            worker.check = None
            yield from self._ended(job, rest[0])  # type: ignore[arg-type]
        else:
            yield from self._lost(worker, str(rest[0]))

    def _lost(self, worker: _Worker, reason: str) -> Iterator[tuple[_Job, Event]]:
        """A worker has died or hangs: its check has crashed, and what it was to do waits again."""
        job, check = worker.job, worker.check
        if worker.group:
            job.waiting.appendleft(worker.group)
        self._dismiss(worker)
        if check is not None:
            job.strikes[id(check.capability)] += 1
            yield from self._ended(job, _crashed(check, job.spec, worker.case, reason))
        elif not worker.ready and not job.known:
            yield from self._end(job, BrokenBackend(f"{job.spec}: loading it {reason}"))
        elif (deaths := job.idle_deaths + 1) > STRIKES:
            told = f"{job.spec}: its processes die while loading it"
            yield from self._end(job, BrokenBackend(told))
        else:
            job.idle_deaths = deaths

    def _ended(self, job: _Job, result: CheckResult) -> Iterator[tuple[_Job, Event]]:
        job.run.results.append(result)
        job.open -= 1
        yield job, result

    def _end(self, job: _Job, error: Exception | None = None) -> Iterator[tuple[_Job, Event]]:
        if isinstance(error, BackendUnavailable):
            job.run = Run(job.spec, unavailable=str(error))
        else:
            job.run.error = error
        job.run.seconds = time.perf_counter() - job.begin
        job.known = job.ended = True
        job.waiting.clear()
        for worker in [w for w in self.workers if w.job is job]:
            self._dismiss(worker)
        yield job, job.run

    def _start(self, job: _Job) -> None:
        ours, theirs = self.context.Pipe()
        threads = str(max(1, (os.cpu_count() or 1) // self.size))
        inherited = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = inherited or threads
        try:
            arguments = (theirs, job.spec, self.level, self.seed)
            process = self.context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
        finally:
            if inherited is None:
                del os.environ["OMP_NUM_THREADS"]
        theirs.close()
        self.workers.append(_Worker(job, process, ours, seen=time.monotonic()))

    def _dismiss(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        _kill(worker.process)
        worker.pipe.close()

    def _listen(self) -> list[tuple[_Worker, tuple[object, ...]]]:
        """What the workers have said, or that one of them is gone, after at most half a second."""
        heard: list[tuple[_Worker, tuple[object, ...]]] = []
        by_pipe = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(by_pipe), timeout=0.5):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                heard.append((worker, worker.pipe.recv()))
            except (EOFError, OSError):
                worker.process.join(5.0)
                died = death(worker.process.exitcode)
                at_work = worker.check is not None
                heard.append((worker, ("lost", f"the process {died}" if at_work else died)))
                continue
            worker.seen = time.monotonic()
        spoken = [worker for worker, _ in heard]
        for worker in self.workers:
            silent = time.monotonic() - worker.seen
            if worker in spoken:
                continue
            if worker.check is not None and silent > self.patience:
                told = f"no answer within {self.patience:g} s; the process was stopped"
                heard.append((worker, ("lost", told)))
            elif not worker.ready and silent > LOADING:
                heard.append((worker, ("lost", "took too long")))
        return heard


def _crashed(check: Check, spec: str, case: Case | None, reason: str) -> CheckResult:
    line = f"{check.capability.rule} ({check.capability.format}): {reason}"
    if case is None:
        return check.result("crashed", message=line)
    record = case.to_json()
    message = "\n".join([line, *snippet(check.id, record)])
    return named(check.result("crashed", message=message, worst={"case": record}), spec)


def death(code: int | None) -> str:
    """How a process ended, by its exit code."""
    if code is None:
        return "closed its pipe"
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"exited with status {code}"


def _kill(process: SpawnProcess) -> None:
    if process.is_alive():
        process.kill()
        process.join(5.0)


def _send(pipe: Connection, message: object) -> None:
    try:
        pipe.send(message)
    except (BrokenPipeError, OSError):
        return  # the reader notices that the other end is gone


def _serve(pipe: Connection, spec: str, level: Level, seed: int) -> None:
    """A worker's life: load the backend, then run the checks it is told to."""
    os.dup2(2, 1)  # what a backend prints must not enter the caller's document
    try:
        backend = discovery.load(spec)
        checks = {check.id: check for check in checks_of(backend)}
    except (BackendUnavailable, UnknownBackend) as reason:
        _send(pipe, ("failed", type(reason)(str(reason))))
        return
    except Exception as reason:
        _send(pipe, ("failed", BrokenBackend(str(reason) or type(reason).__name__)))
        return
    _send(pipe, ("ready", backend.name, list(checks.values())))
    told: tuple[Case | None, float] = None, 0.0

    def started(case: Case) -> None:
        nonlocal told
        # The same case again is a sign of life, of which one a second is enough.
        if case is not told[0] or time.monotonic() - told[1] > 1.0:
            told = case, time.monotonic()
            _send(pipe, ("case", case))

    while (task := pipe.recv()) is not None:
        check = checks[task]
        try:
            told = None, 0.0
            result = run_check(backend, check, level=level, seed=seed, started=started)
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            result = check.result("crashed", message=f"the check itself failed: {text}")
        _send(pipe, ("result", named(result, spec)))
