"""Judging a backend from Python: what ``truestep.certify`` is, and what the command line writes."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from truestep.fast import discovery
from truestep.fast.protocol import Backend, BackendUnavailable, Level
from truestep.properties.judge.results import CheckResult
from truestep.properties.run import plan, pool, rounding
from truestep.reports import certificate, files
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

    @property
    def departures(self) -> Sequence[str]:
        """What is known to depart from its definition where checks pass, a line each."""
        return self.page.backends[0].departures

    def write(self, folder: str | os.PathLike[str], stem: str = "report") -> Path:
        """Write stem.json, stem.html and stem.md; the path of the HTML. Raises OSError."""
        text = certificate.written(self.certificate)
        files.write_atomically(Path(folder) / f"{stem}.json", text)
        return files.write_report(self.page, Path(folder), stem)

    def __repr__(self) -> str:
        failing = [f.check for group in self.page.backends[0].broken for f in group.failures]
        return "\n".join([self.page.headline, *(f"  {c.verdict}: {c.id}" for c in failing)])


def certify(
    backend: str | os.PathLike[str] | Backend | type[Backend],
    *,
    only: str | None = None,
    level: Level = "standard",
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
        kind = backend if isinstance(backend, type) else type(backend)
        spec = f"{kind.__module__}:{kind.__qualname__}"
        run = _here(backend, spec, only, level, seed)
    checks = [certificate.plain(result.to_json()) for result in run.results]
    return judged(certificate.header_of(spec, only, level, seed), run, checks)


def _here(
    backend: Backend | type[Backend], spec: str, only: str | None, level: Level, seed: int
) -> pool.Run:
    """A run in this process."""
    begin = time.perf_counter()
    try:
        made = backend() if isinstance(backend, type) else backend
    except BackendUnavailable as reason:
        return pool.Run(spec, unavailable=str(reason))
    discovery.check(made, spec)
    chosen = plan.chosen(spec, plan.checks_of(made), only)
    results = [plan.run_check(made, check, level=level, seed=seed) for check in chosen]
    told = rounding.told(made)
    return pool.Run(made.name, results, seconds=time.perf_counter() - begin, declaration=told)


def judged(header: Record, run: pool.Run, checks: Sequence[Record]) -> Judged:
    """What a run that has ended found; checks: its results as JSON can hold them."""
    spec, name = header["backend"]["spec"], run.backend_name
    backend = {**header["backend"], "name": name, "unavailable": run.unavailable}
    if run.declaration:
        backend["declaration"] = run.declaration
    document = certificate.build(
        header={**header, "backend": backend}, checks=checks, complete=True, seconds=run.seconds,
        findings=findings_for(name, spec, checks, header["environment"]["libraries"]),
    )  # fmt: skip
    return Judged(run.results, document, build([document]))
