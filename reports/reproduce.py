"""Replaying what a certificate recorded, with a backend that the caller has agreed to load.

A certificate comes from others, and loading a backend runs its code: what a certificate names is
never loaded unasked.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click
from click import ClickException

from truestep.fast.locating import file_of
from truestep.properties.run.choosing import globbed
from truestep.properties.run.hosted import PATIENCE
from truestep.reference import own
from truestep.reports import certificate, counterexample, terminal
from truestep.reports.certificate import Certificate, Record
from truestep.reports.isolation import CannotReplay, Replayer
from truestep.reports.verdicts import FAILING
from truestep.reports.visible import one_line

# Of a recorded case: elements that its tensors have together, and characters of its JSON. The
# largest that the peers' certificates record have 65,535 and 31,000.
MOST_ELEMENTS = 1 << 22
LONGEST_CASE = 1_000_000


def reproduce(path: Path, document: Certificate, wanted: str | None, backend: str | None) -> int:
    """Replay what a certificate recorded: 0 if what ran passes, 1 if one fails, 2 if none ran.

    backend: what to load; None asks whether to load what the certificate names.
    """
    checks = _recorded(path, document, wanted)
    _require_rules(path, document, checks)
    spec = _agreed(path, document["backend"]["spec"]) if backend is None else backend
    statuses = set()
    with Replayer(spec, PATIENCE["deep"]) as replayer:
        for check in checks:
            recorded = certificate.result(check)
            try:
                _limit(check)
                found = replayer.replay(check)
            except CannotReplay as reason:
                terminal.show_not_replayed(recorded, str(reason))
                continue
            terminal.show_replay(recorded, found)
            if found.verdict in (*FAILING, "pass"):
                statuses.add(1 if found.verdict in FAILING else 0)
    return max(statuses, default=2)


def alone(path: Path, document: Certificate, wanted: str | None) -> str:
    """The program, in NumPy alone, of the simplest counterexample; nothing is loaded or run."""
    chosen = [certificate.result(check) for check in _recorded(path, document, wanted)]
    shown = [counterexample.of(document["backend"]["spec"], check) for check in chosen]
    programs = [one for one in shown if one.alone]
    if not programs:
        raise ClickException(f"{path}: no check among {len(chosen)} has a program of NumPy alone")
    return min(programs, key=lambda one: one.order).alone


def _agreed(path: Path, spec: str) -> str:
    """The spec, once the caller has agreed to load it."""
    if not sys.stdin.isatty():
        told = f"--backend {shlex.quote(spec)}"
        raise ClickException(one_line(f"{path}: to load and run what it names, say {told}"))
    file = file_of(spec)
    place = f", the file {file.resolve()}" if file else ""
    terminal.warn(one_line(f"{path} names the backend {spec!r}{place}"))
    if not click.confirm("Load it and run its code?", err=True):
        raise ClickException("nothing was loaded")
    return spec


def _require_rules(path: Path, document: Certificate, checks: Sequence[Record]) -> None:
    """Raise ClickException where a check's rule is its maker's own, and is not loaded here."""
    recorded = {rule["name"]: rule for rule in document.get("rules", [])}
    missing = own.lacking(recorded.keys() & {str(check["rule"]) for check in checks})
    for name in missing:
        spec = recorded[name]["spec"]
        told = f"its rule {name!r} is not known here; if you trust its code, say --rules {spec}"
        raise ClickException(one_line(f"{path}: {told}"))
    for name, rule in recorded.items():
        if (known := own.OWN.get(name)) and known.sha256 != rule["sha256"]:
            terminal.warn(one_line(f"{path}: {known.file} has changed since, or is another file"))


def _recorded(path: Path, document: Certificate, wanted: str | None) -> Sequence[Record]:
    """The checks to replay, failures first: they are what the reader came for."""
    checks: list[Record] = document["checks"]
    if wanted is None:
        chosen = [c for c in checks if "case" in (c["worst"] or {}) or c["verdict"] in FAILING]
        missing = "records no worst case and no counterexample to re-run"
    else:
        chosen = [c for c in checks if c["id"] == wanted]
        chosen = chosen or [c for c in checks if fnmatchcase(c["id"], globbed(wanted))]
        missing = f"no check has the id {wanted!r}; it records {len(checks)} checks"
    if not chosen:
        raise ClickException(f"{path}: {missing}")
    return sorted(chosen, key=lambda c: c["verdict"] not in FAILING)


def _limit(check: Record) -> None:
    """Raise CannotReplay for a recorded case beyond the limits."""
    case = (check["worst"] or {}).get("case", {})
    if (length := len(json.dumps(case))) > LONGEST_CASE:
        raise CannotReplay(f"its case has {length} characters, at most {LONGEST_CASE}")
    sizes = [math.prod(abs(n) for n in shape) for shape in counterexample.shapes(case)]
    if (size := sum(sizes)) > MOST_ELEMENTS:
        raise CannotReplay(f"its case asks for {size} elements, at most {MOST_ELEMENTS}")
