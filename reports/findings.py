"""Known findings about a library, attached to the certificate of a backend that wraps it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from truestep.fast.peers import findings
from truestep.fast.peers.findings import Finding
from truestep.reports.certificate import Record
from truestep.reports.verdicts import FAILING


def findings_for(backend: str, spec: str, checks: Sequence[Record]) -> list[Record]:
    """Findings about the run's rules and the backend's library, with the checks each explains."""
    failing = [check for check in checks if check["verdict"] in FAILING]
    rules = {"", *(check["rule"] for check in checks)}
    return [
        {
            **{name: str(value) for name, value in dataclasses.asdict(finding).items()},
            "checks": [check["id"] for check in failing if _explains(finding, check)],
        }
        for finding in findings.FINDINGS
        if finding.rule in rules and _wraps(backend, spec, finding.library)
    ]


def _explains(finding: Finding, check: Record) -> bool:
    return any(fnmatchcase(check["id"], glob) for glob in finding.check_glob.split())


def _wraps(backend: str, spec: str, library: str) -> bool:
    tail = spec.rpartition(":")[0] or spec
    names = (backend, spec, tail.rpartition(".")[2], re.split(r"[.:/ -]", backend)[0])
    return _key(library) in map(_key, names)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
