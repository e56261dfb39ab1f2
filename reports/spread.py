"""A run whose checks any ``concurrent.futures.Executor`` carries out, where its processes are.

What is sent is a unit: checks by their ids, with level and seed. What comes back is the unit's
certificate, made where it ran: by a judge's process and the backend's own, as on one machine. A
unit is one check where there are as many units as checks; those that are alike stay together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from truestep.fast.locating import BrokenBackend, UnknownBackend
from truestep.fast.protocol import Backend, BackendUnavailable, Level
from truestep.properties.judge.results import Check, CheckResult
from truestep.properties.run import conduct, plan, pool
from truestep.properties.run.hosted import PATIENCE
from truestep.properties.run.remote import Remote
from truestep.properties.run.shards import Named, Part, dealt
from truestep.reports import certificate, judged, resume, settled
from truestep.reports.certificate import Certificate, Record

# What a task asks of its place, by name: "CPU", "GPU", and whatever else an engine knows.
Resources = Mapping[str, float]
# The executor of what asks for so much.
Executors = Callable[[Resources], Executor]
# Units of a backend where nobody has said how many.
UNITS = 16


@dataclass(frozen=True, slots=True)
class Need:
    """What checks ask for whose "backend/id" matches a glob."""

    glob: str
    resources: Resources


@dataclass(frozen=True, slots=True)
class Task:
    """What is judged, and how: the same for all units of a backend."""

    backend: str | Backend | type[Backend]
    only: str | None
    level: Level
    seed: int

    @property
    def spec(self) -> str:
        """What the certificate calls the backend by."""
        return judged.spec_of(self.backend)


@dataclass(frozen=True, slots=True)
class Listing:
    """A backend's checks, and where they were listed."""

    header: Record
    name: str
    declaration: str
    checks: Sequence[Check]


def listed(task: Task) -> Listing:
    """The checks of a backend, loaded where this is called. Raises what loading it raises."""
    header = certificate.header_of(task.spec, task.only, task.level, task.seed)
    if isinstance(task.backend, str):
        remote = Remote(task.backend, PATIENCE[task.level])
        try:
            every = [*plan.checks_of(remote), conduct.check()]
            name, declaration = remote.name, remote.declaration
        finally:
            remote.close()
    else:
        made = judged.made(task.backend, task.spec)
        every, name = plan.checks_of(made), made.name
        declaration = str(getattr(made, "declaration", ""))
    return Listing(header, name, declaration, plan.chosen(name, every, task.only))


def unit(task: Task, part: Part) -> Certificate:
    """The certificate of some of a backend's checks, judged where this is called."""
    return judged.run_here(
        task.backend, task.only, task.level, task.seed, workers=1, part=part
    ).certificate


@dataclass(slots=True)
class _Job:
    """A backend's run: its units that are out, and the results that have come back."""

    task: Task
    listing: Listing | None = None
    error: Exception | None = None
    out: int = 0
    records: list[Record] = field(default_factory=list)
    run: pool.Run = field(init=False)

    def __post_init__(self) -> None:
        self.run = pool.Run(self.task.spec)


class Spread:
    """The runs of several backends on executors; certify_all is that of `properties.run.pool`.

    needs: what checks ask for; the last that matches counts. units: of each backend, about.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        executors: Executors,
        *,
        needs: Sequence[Need] = (),
        units: int = UNITS,
    ) -> None:
        self._executors, self._needs, self._units = executors, needs, units
        self.jobs = {task.spec: _Job(task) for task in tasks}
        asked = {
            self._executors(self._asked(spec, "")).submit(listed, job.task): job
            for spec, job in self.jobs.items()
        }
        for future, job in asked.items():
            try:
                job.listing = future.result()
            except BackendUnavailable as reason:
                job.run.unavailable = str(reason)
            except (BrokenBackend, UnknownBackend, ValueError) as error:
                job.error = error
            except Exception as error:  # of the executor's own
                job.error = BrokenBackend(f"{job.task.spec}: listing its checks: {_told(error)}")

    def header(self, spec: str) -> Record:
        """The certificate's header: of where the backend's checks were listed."""
        job = self.jobs[spec]
        task = job.task
        if job.listing is None:
            return certificate.header_of(spec, task.only, task.level, task.seed)
        return job.listing.header

    def certify_all(
        self,
        *,
        done: Mapping[str, Mapping[str, pool.Done]] = {},
        on_start: Callable[[str, int], None] = lambda *_: None,
        on_result: Callable[[str, CheckResult], None] = lambda *_: None,
        on_end: Callable[[str, pool.Run], None] = lambda *_: None,
    ) -> None:
        """Carry out all units, and stream the results as units come back."""
        out: dict[Future[Certificate], tuple[_Job, Sequence[Check]]] = {}
        try:
            for spec, job in self.jobs.items():
                if job.listing is not None:
                    on_start(spec, self._submit(job, done.get(spec, {}), out))
            for spec, job in self.jobs.items():
                if not job.out:
                    on_end(spec, self._ended(job, on_result))
            while out:
                for future in wait(out, return_when=FIRST_COMPLETED).done:
                    job, checks = out.pop(future)
                    job.out -= 1
                    for result in self._results(job, checks, future):
                        job.run.results.append(result)
                        on_result(job.task.spec, result)
                    if not job.out:
                        on_end(job.task.spec, self._ended(job, on_result))
        finally:
            for future in out:
                future.cancel()

    def _asked(self, spec: str, id: str) -> Resources:
        """What a check asks for; of all of a backend, what its first glob does."""
        name = f"{spec}/{id}"
        found = [need for need in self._needs if fnmatchcase(name, need.glob)]
        return found[-1].resources if found else {}

    def _submit(
        self,
        job: _Job,
        done: Mapping[str, pool.Done],
        out: dict[Future[Certificate], tuple[_Job, Sequence[Check]]],
    ) -> int:
        assert job.listing is not None
        every = job.listing.checks
        job.run.backend_name, job.run.declaration = job.listing.name, job.listing.declaration
        left = [check for check in every if check.id not in done and check.kind != conduct.KIND]
        by_need: dict[tuple[tuple[str, float], ...], list[Check]] = {}
        for check in left:
            asked = self._asked(job.task.spec, check.id)
            by_need.setdefault(tuple(sorted(asked.items())), []).append(check)
        for pairs, checks in by_need.items():
            share = max(1, round(self._units * len(checks) / len(left)))
            for part in filter(None, dealt(checks, share, {})):
                named = Named(frozenset(check.id for check in part))
                future = self._executors(dict(pairs)).submit(unit, job.task, named)
                out[future] = job, part
                job.out += 1
        return len(left) + sum(check.kind == conduct.KIND for check in every)

    def _results(
        self, job: _Job, checks: Sequence[Check], future: Future[Certificate]
    ) -> list[CheckResult]:
        """What a unit found; errors of the suite's where it was lost, or ran on another machine."""
        try:
            document = future.result()
            assert job.listing is not None
            for what, there, here in resume.differences(document, job.listing.header):
                raise ValueError(f"it ran elsewhere: {what} is {there!r}, not {here!r}")
            if reason := document["backend"]["unavailable"]:
                raise ValueError(f"it could not be run there: {reason}")
        except Exception as error:  # whatever an executor raises
            told = f"the executor lost what it was to judge: {_told(error)}"
            return [check.result("error", message=told) for check in checks]
        job.run.seconds += document["seconds"]
        job.records += document["checks"]
        own = [check for check in document["checks"] if check["kind"] != conduct.KIND]
        return [certificate.result(check) for check in own]

    def _ended(self, job: _Job, on_result: Callable[[str, CheckResult], None]) -> pool.Run:
        """The run of a backend whose units are all back; its conduct is told last."""
        job.run.error = job.error
        for check in settled.settled(job.records):
            if check["kind"] == conduct.KIND:
                result = certificate.result(check)
                job.run.results.append(result)
                on_result(job.task.spec, result)
        return job.run


def certify(task: Task, executor: Executor, units: int = UNITS) -> judged.Judged:
    """One backend's certificate, its checks judged by an executor. Raises what loading raises."""
    spread = Spread([task], lambda _: executor, units=units)
    spread.certify_all()
    run = spread.jobs[task.spec].run
    if run.error is not None:
        raise run.error
    checks = [certificate.recorded(result) for result in run.results]
    return judged.judged(spread.header(task.spec), run, checks)


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1] if lines else 'no reason given'}"
