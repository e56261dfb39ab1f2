"""Runs backends' checks in processes: each has a judge of its own, and the backend another.

Over 300 lines, for both what a run does with its judges and what it makes of what they say.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, Pipe, wait
from typing import TYPE_CHECKING, Any, get_args

from truestep.fast.locating import BrokenBackend, UnknownBackend
from truestep.fast.protocol import BackendUnavailable, Level
from truestep.properties.judge.results import Check, CheckResult, check_id
from truestep.properties.run import conduct
from truestep.properties.run.choosing import alike, chosen
from truestep.properties.run.hosted import LOADING, PATIENCE, death
from truestep.properties.run.shards import Part, fingerprint
from truestep.properties.run.stopwatch import Stopwatch
from truestep.properties.run.warden import Warden
from truestep.properties.run.worker import send
from truestep.reference import own

if TYPE_CHECKING:
    from truestep.properties.judge.tally import Case

__all__ = ["LEVELS", "BrokenBackend", "Done", "Run", "UnknownBackend", "certify", "certify_all"]

LEVELS: tuple[str, ...] = get_args(Level)
# Times that patience after which a silent judge hangs: it waits for several calls of a case.
_CALLS = 8
# Seconds between two looks at the judges.
_LOOK = 0.5
# After so many crashes or hangs of one capability, its other checks are not run.
STRIKES = 2
GIVEN_UP = f"not run after {STRIKES} crashes of this capability"
# Where a result says that a call of its check lost its process.
CALL_LOST = "call_lost"


@dataclass(frozen=True, slots=True)
class Done:
    """What of a result at hand still counts: what its calls left changed, and if one was lost."""

    left: Sequence[str] = ()
    lost: bool = False

    @classmethod
    def of(cls, extra: Mapping[str, Any]) -> "Done":
        """From a result's extra."""
        return cls(extra.get(conduct.CALLS_LEFT, ()), extra.get(CALL_LOST, False))


@dataclass(slots=True)
class Run:
    """The outcome of a run: results in the order they ended, or why nothing could run.

    error: what certify raises, where the backend is unknown or broken, or no check matches.
    declaration: what was found of a backend that was wrapped, in a line. known: the ids of all its
    checks, chosen or not. checks, plan: of all parts of the run together, how many checks there
    are, and the fingerprint of their ids.
    """

    backend_name: str
    results: list[CheckResult] = field(default_factory=list)
    unavailable: str | None = None
    seconds: float = 0.0
    error: Exception | None = None
    declaration: str = ""
    known: list[str] = field(default_factory=list)
    checks: int = 0
    plan: str = ""


def certify(
    backend: str,
    *,
    only: str | None = None,
    level: Level = "standard",
    seed: int = 0,
    workers: int = 0,
    patience: float | None = None,
    part: Part | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_result: Callable[[CheckResult], None] = lambda _: None,
) -> Run:
    """Run every check of a backend that matches the glob only, and stream the results.

    workers: number of processes, 0 for one per core. patience: seconds without a sign of life after
    which a worker counts as hanging. part: takes those checks that are run. Raises UnknownBackend
    or BrokenBackend when there is nothing to run, ValueError for an unknown level or a glob that
    matches no check.
    """
    [run] = certify_all(
        [backend],
        only=only,
        level=level,
        seed=seed,
        workers=workers,
        patience=patience,
        part=part,
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
    done: Mapping[str, Mapping[str, Done]] = {},
    part: Part | None = None,
    fail_fast: bool = False,
    skipped: Callable[[str, str], str] = lambda *_: "",
    on_start: Callable[[str, int], None] = lambda *_: None,
    on_result: Callable[[str, CheckResult], None] = lambda *_: None,
    on_end: Callable[[str, Run], None] = lambda *_: None,
) -> list[Run]:
    """Run the checks of several backends in one pool; a Run for each, in their order.

    done: by backend the ids of checks that are not run, since their results are at hand. part:
    takes those of a backend's checks that are run here. fail_fast: whether the checks that wait are
    not run once one of their backend has failed. skipped(name, id): why a check of the backend of
    that name is not run, "" where it is.
    on_start(backend, count) once its checks are known, on_result for each that ends, on_end when
    the backend's last has ended. Raises ValueError for an unknown level.
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}; got {level!r}")
    size = workers or os.cpu_count() or 1
    pool = _Pool(level, seed, patience or PATIENCE[level], size, fail_fast=fail_fast)
    jobs = [_Job(spec, only, done.get(spec, {}), part, skipped) for spec in dict.fromkeys(backends)]
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

    def __init__(
        self, spec: str, only: str | None, done: Mapping[str, Done], part: Part | None,
        skipped: Callable[[str, str], str],
    ) -> None:  # fmt: skip
        self.spec, self.only, self.done = spec, only, done
        self.part, self.skipped = part, skipped
        self.run = Run(spec)
        self.known = False
        self.ended = False
        self.open = 0
        self.waiting: deque[deque[Check]] = deque()
        self.lost: defaultdict[str, list[str]] = defaultdict(list)
        self.deaths: Counter[str] = Counter()
        # What calls have left changed, for the check of the backend's conduct, which comes last.
        self.watched = 0
        self.left = [f"{words}: {check}" for check, was in done.items() for words in was.left]
        self.left_behind: list[str] = []
        self.conduct: Check | None = None
        self.idle_deaths = 0
        self.begin = time.perf_counter()

    def learn(self, name: str, checks: Sequence[Check], declaration: str) -> int:
        """Take the backend's name and checks; the number of those that are to run."""
        self.known, self.run.backend_name = True, name
        self.run.known = [check.id for check in checks]
        self.run.declaration = declaration
        found = chosen(name, checks, self.only)
        self.run.checks, self.run.plan = len(found), fingerprint([check.id for check in found])
        found = self.part(found) if self.part else found
        for check in found:
            if self.done.get(check.id, Done()).lost:
                self.lose(check)
        self.watched = sum(check.kind != conduct.KIND for check in found)
        found = [check for check in found if check.id not in self.done]
        groups: dict[Hashable, deque[Check]] = {}
        for check in found:
            if check.kind == conduct.KIND:
                self.conduct = check
            else:
                groups.setdefault(alike(check), deque()).append(check)
        self.waiting.extend(sorted(groups.values(), key=lambda group: _place(group[0])))
        self.open = len(found)
        return self.open

    def lose(self, check: Check) -> None:
        """Count a call of this check that was lost against its capability."""
        self.lost[check_id(check.capability, check.kind)].append(check.id)

    def struck(self, check: Check) -> bool:
        """Whether checks of its capability that come before this one have crashed often enough."""
        lost = self.lost[check_id(check.capability, check.kind)]
        return sum(id < check.id for id in lost) >= STRIKES


def _place(check: Check) -> tuple[bool, str, str, str]:
    """Where checks stand in a run: theorems, which take long, then a rule's by their names."""
    return check.kind == check.capability.kind, check.kind, check.rule, check.name


Event = int | CheckResult | Run


@dataclass(slots=True)
class _Worker:
    """A process that has loaded one backend, the pipe to it, and what it is at."""

    job: _Job
    process: subprocess.Popen[bytes]
    pipe: Connection
    group: deque[Check] = field(default_factory=deque)
    check: Check | None = None
    case: "Case | None" = None
    watch: Stopwatch | None = None
    ready: bool = False
    leaving: bool = False


class _Pool:
    """Workers that each load one backend at a time, and run one check of it at a time."""

    def __init__(
        self, level: Level, seed: int, patience: float, size: int, *, fail_fast: bool
    ) -> None:
        self.level, self.seed, self.patience, self.size = level, seed, patience, size
        self.fail_fast = fail_fast
        self.workers: list[_Worker] = []
        self.warden = Warden()

    def work(self, jobs: Sequence[_Job]) -> Iterator[tuple[_Job, Event]]:
        """Yield the number of checks of every job, the result of each as it ends, and its run."""
        while any(not job.ended for job in jobs):
            self._staff(jobs)
            for worker in list(self.workers):
                yield from self._assign(worker)
            for worker, message in self._listen():
                yield from self._heard(worker, message)
            for job in jobs:
                yield from self._concluded(job)

    def _concluded(self, job: _Job) -> Iterator[tuple[_Job, Event]]:
        """End a job whose checks have all run, and whose workers have said what they have left."""
        at_work = any(worker.job is job for worker in self.workers)
        if job.ended or not job.known or job.waiting or at_work:
            return
        if job.conduct is not None:
            result = conduct.concluded(job.conduct, job.watched, job.left, job.left_behind)
            if told := job.skipped(job.run.backend_name, job.conduct.id):
                result = job.conduct.result("not_run", message=told)
            job.conduct = None
            yield from self._ended(job, result)
        yield from self._end(job)

    def close(self) -> None:
        """End every worker."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.wait()
            worker.pipe.close()
        self.workers.clear()
        self.warden.close()

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
                    # It has yet to say what the backend's process has left.
                    worker.ready, worker.leaving = False, True
                    send(worker.pipe, None)
                    return
                worker.group = job.waiting.popleft()
            check = worker.group.popleft()
            told = job.skipped(job.run.backend_name, check.id)
            if not told and job.struck(check):
                told = GIVEN_UP
            if told:
                yield from self._ended(job, check.result("not_run", message=told))
                continue
            worker.check, worker.case = check, None
            send(worker.pipe, (check.id, job.deaths[check.id] > 0))

    def _heard(self, worker: _Worker, message: tuple[object, ...]) -> Iterator[tuple[_Job, Event]]:
        job, (kind, *rest) = worker.job, message
        if kind == "case":
            worker.case = rest[0]  # type: ignore[assignment]
        elif kind == "ready":
            worker.ready = True
            if not job.known:
                try:
                    yield job, job.learn(*rest)  # type: ignore[arg-type]
                except ValueError as error:
                    yield from self._end(job, error)
        elif kind == "failed":
            yield from self._end(job, rest[0])  # type: ignore[arg-type]
        elif kind == "result":
            yield from self._heard_result(worker, *rest)  # type: ignore[arg-type]
        elif kind == "left":
            job.left_behind += rest[0]  # type: ignore[arg-type]
            self._dismiss(worker)
        else:
            yield from self._lost(worker, str(rest[0]))

    def _heard_result(
        self, worker: _Worker, result: CheckResult, left: Sequence[str], lost: bool
    ) -> Iterator[tuple[_Job, Event]]:
        job, check = worker.job, worker.check
        if check is None:
            return
        worker.check = None
        job.left += [f"{words}: {check.id}" for words in left]
        if left:
            result = replace(result, extra={**result.extra, conduct.CALLS_LEFT: list(left)})
        if lost:
            job.lose(check)
            result = replace(result, extra={**result.extra, CALL_LOST: True})
        yield from self._ended(job, result)

    def _lost(self, worker: _Worker, reason: str) -> Iterator[tuple[_Job, Event]]:
        """A judge has died or hangs: what it was to do waits again, unless it has often been so."""
        job, check = worker.job, worker.check
        self._dismiss(worker)
        if worker.leaving:
            return
        if check is not None:
            job.deaths[check.id] += 1
            if job.deaths[check.id] <= STRIKES:
                worker.group.appendleft(check)
            else:
                from truestep.properties.judge.records import crashed, named  # with the judge

                told = f"the judge's process {reason}, {job.deaths[check.id]} times"
                yield from self._ended(job, named(crashed(check, worker.case, told), job.spec))
        if worker.group:
            job.waiting.appendleft(worker.group)
        if check is not None:
            return
        if (deaths := job.idle_deaths + 1) > STRIKES:
            told = f"{job.spec}: its processes die while loading it"
            yield from self._end(job, BrokenBackend(told))
        else:
            job.idle_deaths = deaths

    def _ended(self, job: _Job, result: CheckResult) -> Iterator[tuple[_Job, Event]]:
        job.run.results.append(result)
        job.open -= 1
        yield job, result
        if self.fail_fast and result.verdict in ("fail", "crashed"):
            groups = [*job.waiting, *(w.group for w in self.workers if w.job is job)]
            left = [check for group in groups for check in group]
            job.waiting.clear()
            for worker in self.workers:
                if worker.job is job:
                    worker.group = deque()
            for check in left:
                told = f"not run after the first failure, {result.id}"
                yield from self._ended(job, check.result("not_run", message=told))

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
        ours, theirs = Pipe()
        threads = str(max(1, (os.cpu_count() or 1) // self.size))
        told = [
            os.getpid(), theirs.fileno(), job.spec, own.specs(), self.level, self.seed,
            self.patience,
        ]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "truestep.properties.run.worker", json.dumps(told)],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={"OMP_NUM_THREADS": threads} | dict(os.environ) | self.warden.environment,
        )
        theirs.close()
        self.workers.append(_Worker(job, process, ours))

    def _dismiss(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        worker.process.kill()
        worker.process.wait()
        worker.pipe.close()

    def _listen(self) -> list[tuple[_Worker, tuple[object, ...]]]:
        """What the workers have said, or that one of them is gone, after a while at most."""
        heard: list[tuple[_Worker, tuple[object, ...]]] = []
        by_pipe = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(by_pipe), timeout=_LOOK):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                heard.append((worker, worker.pipe.recv()))
            except (EOFError, OSError):
                heard.append((worker, ("lost", _end_of(worker.process))))
        spoken = [worker for worker, _ in heard]
        for worker in self.workers:
            if worker in spoken or (worker.ready and worker.check is None):
                worker.watch = None
                continue
            worker.watch = worker.watch or Stopwatch(worker.process.pid, _LOOK)
            if worker.watch.look() > max(LOADING, _CALLS * self.patience):
                heard.append((worker, ("lost", "gave no answer")))
        return heard


def _end_of(process: "subprocess.Popen[bytes]") -> str:
    """How a process ended whose pipe has: its status comes a moment later."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LOOK)
    return death(process.poll())
