"""Known findings about a library, attached to the certificate of a backend that wraps it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from truestep.reports.summary import FAILING

FIELDS = (
    "library", "versions", "rule", "title", "contradicts", "reproducer", "expected", "actual",
    "check_glob",
)  # fmt: skip


def findings_for(
    backend: str, spec: str, checks: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Findings about the run's rules and the backend's library, with the checks each explains."""
    failing = [check["id"] for check in checks if check["verdict"] in FAILING]
    rules = {"", *(check["rule"] for check in checks)}
    found = []
    for finding in _table():
        if finding.rule in rules and _wraps(backend, spec, finding.library):
            globs = finding.check_glob.split()
            explained = [name for name in failing if any(fnmatchcase(name, g) for g in globs)]
            fields = {field: str(getattr(finding, field)) for field in FIELDS}
            found.append({**fields, "checks": explained})
    return found


def _table() -> Sequence[Any]:
    name = "truestep.fast.peers.findings"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return ()
    table: Sequence[Any] = module.FINDINGS
    return table


def _wraps(backend: str, spec: str, library: str) -> bool:
    wanted = _key(library)
    tail = spec.rpartition(":")[0] or spec
    candidates = [backend, spec, tail.rpartition(".")[2], re.split(r"[.:/ -]", backend)[0]]
    return wanted in {_key(candidate) for candidate in candidates}


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
