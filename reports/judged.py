"""Judging a backend from Python: what ``truestep.certify`` is."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from truestep.fast import discovery
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.judge.results import CheckResult
from truestep.properties.run import plan, pool
from truestep.reports import certificate, environment, files
from truestep.reports.certificate import Certificate, Record
from truestep.reports.findings import findings_for
from truestep.reports.page import Page, build


@dataclass(frozen=True, slots=True, repr=False)
class Judged:
    """What a run found. certificate: the document that ``truestep certify`` writes."""

    results: Sequence[CheckResult]
    certificate: Certificate
    page: Page

    @property
    def passed(self) -> bool:
        """Whether a check passed and none failed or crashed; what was not judged is no pass."""
        return bool(self.certificate["verdict"] == "pass")

    def write(self, folder: str | os.PathLike[str], stem: str = "report") -> Path:
        """Write stem.json, stem.html and stem.md; the path of the HTML. Raises OSError."""
        text = certificate.dumps(self.certificate)
        files.write_atomically(Path(folder) / f"{stem}.json", text)
        return files.write_report(self.page, Path(folder), stem)

    def __repr__(self) -> str:
        failing = [f.check for group in self.page.backends[0].broken for f in group.failures]
        return "\n".join([self.page.headline, *(f"  {c.verdict}: {c.id}" for c in failing)])


def certify(
    backend: object,
    *,
    only: str | None = None,
    level: str = "standard",
    seed: int = 0,
    workers: int = 0,
) -> Judged:
    """Judge a backend: a name, "package.module:Name" or "file.py:Name", or an object or class.

    What is named is judged in processes of its own, workers of them (0: one per processor), so that
    a crash costs one check. An object is judged in this process, because no other could load it.
    only: a glob of check ids. level: "smoke", "standard" or "deep". Raises UnknownBackend or
    BrokenBackend of truestep.fast.discovery, and ValueError for what matches no check.
    """
    if isinstance(backend, (str, os.PathLike)):
        spec = str(backend)
        run = pool.certify(spec, only=only, level=level, seed=seed, workers=workers)
    else:
        made = backend if inspect.isclass(backend) else type(backend)
        spec = f"{made.__module__}:{made.__qualname__}"
        run = _here(backend, spec, only, level, seed)
    where = {"suite": environment.suite(), "environment": environment.environment()}
    header = certificate.header_of(spec=spec, only=only, level=level, seed=seed, **where)
    document = document_of(header, run, [result.to_json() for result in run.results])
    return Judged(run.results, document, build([document]))


def _here(backend: object, spec: str, only: str | None, level: str, seed: int) -> pool.Run:
    """A run in this process."""
    begin = time.perf_counter()
    try:
        made = backend() if inspect.isclass(backend) else backend
    except BackendUnavailable as reason:
        return pool.Run(spec, unavailable=str(reason))
    discovery.check(made, spec)
    checks = plan.checks_of(made)
    chosen = plan.matching(checks, only)
    if not chosen:
        raise ValueError(f"no check of {spec} matches {only!r}; one is {checks[0].id!r}")
    results = [plan.run_check(made, check, level=level, seed=seed) for check in chosen]
    return pool.Run(made.name, results, seconds=time.perf_counter() - begin)


def document_of(header: Record, run: pool.Run, checks: Sequence[Record]) -> Certificate:
    """The certificate of a run that has ended; checks: its results."""
    spec = header["backend"]["spec"]
    backend = {"name": run.backend_name, "spec": spec, "unavailable": run.unavailable}
    return certificate.build(
        header={**header, "backend": backend},
        checks=checks,
        complete=True,
        seconds=run.seconds,
        findings=findings_for(run.backend_name, spec, checks),
    )
