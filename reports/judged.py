"""What a run found: its certificate and page, and running it on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from truestep.fast.protocol import Backend, BackendUnavailable, Level
from truestep.properties.judge.results import CheckResult
from truestep.properties.run import pool
from truestep.properties.run.shards import Part
from truestep.reference import own
from truestep.reports import certificate, files
from truestep.reports.certificate import Certificate, Record
from truestep.reports.findings import findings_for
from truestep.reports.settled import settled

if TYPE_CHECKING:
    from truestep.reports.page import Page


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


def run_here(
    backend: str | Backend | type[Backend], only: str | None, level: Level, seed: int, *,
    workers: int, part: Part | None = None,
) -> Judged:  # fmt: skip
    """The certificate of a backend judged here; part: takes those checks that are run."""
    spec = spec_of(backend)
    if isinstance(backend, str):
        run = pool.certify(spec, only=only, level=level, seed=seed, workers=workers, part=part)
    else:
        run = _in_process(backend, spec, only, level, seed, part)
    checks = [certificate.recorded(result) for result in run.results]
    return judged(certificate.header_of(spec, only, level, seed), run, checks)


def spec_of(backend: str | Backend | type[Backend]) -> str:
    """What a certificate calls a backend by."""
    if isinstance(backend, str):
        return backend
    kind = backend if isinstance(backend, type) else type(backend)
    return f"{kind.__module__}:{kind.__qualname__}"


def made(backend: Backend | type[Backend], spec: str) -> Backend:
    """The object that is judged; raises BrokenBackend or BackendUnavailable."""
    from truestep.fast import discovery  # with every rule

    found = backend() if isinstance(backend, type) else backend
    discovery.check(found, spec)
    return found


def _in_process(
    backend: Backend | type[Backend], spec: str, only: str | None, level: Level, seed: int,
    part: Part | None,
) -> pool.Run:  # fmt: skip
    """A run in this process."""
    from truestep.properties.run import plan, rounding  # the judge

    begin = time.perf_counter()
    try:
        found = made(backend, spec)
    except BackendUnavailable as reason:
        return pool.Run(spec, unavailable=str(reason))
    chosen = plan.chosen(spec, plan.checks_of(found), only)
    run = part(chosen) if part else chosen
    results = [plan.run_check(found, check, level=level, seed=seed) for check in run]
    told = rounding.told(found)
    return pool.Run(found.name, results, seconds=time.perf_counter() - begin, declaration=told)


def judged(header: Record, run: pool.Run, checks: Sequence[Record]) -> Judged:
    """What a run that has ended found; checks: its results as JSON can hold them."""
    from truestep.reports.page import build  # with every rule

    spec, name = header["backend"]["spec"], run.backend_name
    backend = {**header["backend"], "name": name, "unavailable": run.unavailable}
    if run.declaration:
        backend["declaration"] = run.declaration
    own.lacking(str(check["rule"]) for check in checks)  # a judge alone has loaded a package's
    shard = header.get("shard")
    if shard and run.plan:
        shard = {**shard, "checks": run.checks, "plan": run.plan}
    checks = settled(checks)
    header = {**header, "backend": backend, **certificate.rules()}
    document = certificate.build(
        header={**header, **({"shard": shard} if shard else {})},
        checks=checks, complete=True, seconds=run.seconds,
        findings=findings_for(name, spec, checks, header["environment"]["libraries"]),
    )  # fmt: skip
    return Judged(run.results, document, build([document]))
