"""Departures of third-party libraries from their rules, found by this suite and verified.

``python -m truestep.fast.peers.findings CERTIFICATE...`` holds certificates against them: it ends
with status 1 where a failure is explained by no finding, where a finding lists a check that there
is none of, where a finding explains no failure, and where a declared departure and a finding that
tells of it are not both there.
"""

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from truestep.fast.peers.finding import PEERS, Finding, load
from truestep.fast.peers.predicate import Json

FINDINGS: tuple[Finding, ...] = tuple(
    finding for file in sorted(PEERS.glob("*/findings.toml")) for finding in load(file)
)

_FAILING = ("crashed", "fail")


def findings_of(backend: str, spec: str) -> list[Finding]:
    """The findings about the library that a backend of this name and place wraps."""
    place = spec.partition(":")[0]
    names = {backend, re.split(r"[.:/ ]", backend)[0], spec, place.rpartition(".")[2]}
    wrapped = {_key(name) for name in names}
    if place.startswith("truestep.fast.peers."):
        wrapped.add(_key(place.split(".")[3]))
    return [finding for finding in FINDINGS if _key(finding.library) in wrapped]


def explained(
    backend: str, spec: str, checks: Iterable[Json], libraries: Mapping[str, str]
) -> list[tuple[Finding, list[str]]]:
    """The findings about a backend's library in the version judged, with the failures of each.

    libraries: versions by package, as the certificate has them; of others, the installed one's.
    """
    failing = [check for check in checks if check["verdict"] in _FAILING]
    return [
        (finding, [check["id"] for check in failing if finding.explains(check)])
        for finding in findings_of(backend, spec)
        if finding.concerns(_version(finding.distribution, libraries))
    ]


def audit(certificate: Json) -> Iterator[str]:
    """What a certificate and the findings about its library do not agree on, a line each."""
    name, checks = certificate["backend"]["name"], certificate["checks"]
    spec, libraries = certificate["backend"]["spec"], certificate["environment"]["libraries"]
    known = explained(name, spec, checks, libraries)
    declared = {
        (check["rule"], field, value)
        for check in checks
        for field, value in check.get("departures", {}).items()
    }
    if certificate["only"] is None and certificate["level"] in ("standard", "deep"):
        for finding in findings_of(name, spec):
            version = _version(finding.distribution, libraries)
            if not finding.concerns(version):
                yield f"{finding.label}: seen in {finding.versions}, {version} was judged"
        for finding, ids in known:
            if lost := sorted(set(finding.checks) - {check["id"] for check in checks}):
                yield f"{finding.label}: there is no check {', '.join(lost)}"
            elif finding.checks and not ids and finding.reachable():
                yield f"{finding.label}: explains no failure"
            for one in sorted(_told(finding) - declared):
                yield f"{finding.label}: nothing declares {' '.join(one)}"
    for one in sorted(declared - {told for finding, _ in known for told in _told(finding)}):
        yield f"{name}: no finding tells of the departure {' '.join(one)}"
    found = {name for _, ids in known for name in ids}
    for check in checks:
        if check["verdict"] in _FAILING and check["id"] not in found:
            told = check["message"].partition("\n")[0]
            yield f"{name}: no finding explains {check['id']}: {told}"


def _told(finding: Finding) -> set[tuple[str, ...]]:
    """The departures that a finding tells of: rule, field and value."""
    return {(finding.rule, *departure.split()) for departure in finding.departs}


def _version(distribution: str, libraries: Mapping[str, str]) -> str | None:
    if distribution in libraries:
        return libraries[distribution]
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def main(paths: Iterable[str]) -> int:
    """Audit certificates, print what does not agree, and return the exit status."""
    lines = [f"{p}: {x}" for p in paths for x in audit(json.loads(Path(p).read_text("utf-8")))]
    print("\n".join(lines) or "every failure is a known finding, and every finding is one")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
