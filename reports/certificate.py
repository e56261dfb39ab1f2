"""The certificate: one JSON document that says what was judged, where, and with what outcome.

The SHA-256 covers the canonical JSON (sorted keys, no spaces, ASCII) of everything but itself, so
white space may change and content may not. It guards against accidents and silent edits; it is not
a signature.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA = "truestep-certificate/1"
SCHEMA_FILE = Path(__file__).with_name("certificate.schema.json")

VERDICTS = ("pass", "fail", "crashed", "not_judged", "unsupported", "not_run")
EXIT_STATUS = {"pass": 0, "fail": 1, "error": 2}

Certificate = dict[str, Any]


class BadCertificate(ValueError):
    """A file is not a certificate this version trusts; the message names file and value."""


def plain(value: Any) -> Any:
    """The value as JSON can hold it: non-finite floats become "inf", "-inf" and "nan"."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


def verdict_of(checks: Iterable[Mapping[str, Any]], *, complete: bool) -> str:
    """The verdict of a run: "fail" if a check failed or crashed; "pass" if one passed and the run
    ended; else "error".
    """
    found = {check["verdict"] for check in checks}
    if found & {"fail", "crashed"}:
        return "fail"
    return "pass" if complete and "pass" in found else "error"


def summary_of(checks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many checks ended with each verdict, examples tried, and the largest utilisation."""
    counted = Counter(check["verdict"] for check in checks)
    largest = max(
        (as_float(c["utilisation"]) for c in checks if c["utilisation"] is not None), default=None
    )
    return {
        "checks": len(checks),
        **{verdict: counted[verdict] for verdict in VERDICTS},
        "examples": sum(check["examples"] for check in checks),
        "utilisation": plain(largest),
    }


def as_float(value: Any) -> float:
    """A number of a certificate, where non-finite values are strings, as a float."""
    return float(value)


def build(
    *,
    header: Mapping[str, Any],
    checks: Sequence[Mapping[str, Any]],
    complete: bool,
    seconds: float,
    findings: Sequence[Mapping[str, Any]] = (),
) -> Certificate:
    """The signed certificate of a run; header comes from ``header_of``."""
    checks = sorted((plain(check) for check in checks), key=lambda check: str(check["id"]))
    content = {
        **plain(header),
        "complete": complete,
        "seconds": round(seconds, 3),
        "verdict": verdict_of(checks, complete=complete),
        "summary": summary_of(checks),
        "checks": checks,
        "findings": plain(list(findings)),
    }
    return {**content, "sha256": checksum(content)}


def header_of(
    *,
    spec: str,
    only: str | None,
    level: str,
    seed: int,
    suite: Mapping[str, Any],
    environment: Mapping[str, Any],
) -> dict[str, Any]:
    """What is known before the first check ends."""
    return {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite": dict(suite),
        "environment": dict(environment),
        "backend": {"name": spec, "spec": spec, "unavailable": None},
        "only": only,
        "level": level,
        "seed": seed,
    }


def canonical(content: Mapping[str, Any]) -> bytes:
    """The bytes that the SHA-256 covers."""
    without = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(without, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical content, in hex."""
    return hashlib.sha256(canonical(content)).hexdigest()


def dumps(document: Any) -> str:
    """A document as indented ASCII JSON with a final newline."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def read(path: Path) -> Certificate:
    """A certificate, or the journal of an unfinished run as a certificate marked incomplete.

    Raises BadCertificate when the content cannot be trusted and OSError when it cannot be read.
    """
    from truestep.reports import journal

    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadCertificate(
            f"{path}: not a certificate: not UTF-8 at byte {error.start}"
        ) from None
    if journal.looks_like(text):
        return journal.parse(path, text)
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadCertificate(f"{path}: not a certificate: not JSON: {error}") from None
    return validated(path, document)


def validated(path: Path, document: Any) -> Certificate:
    """The document if it is a certificate of this schema and its checksum holds."""
    if not isinstance(document, dict) or "schema" not in document:
        raise BadCertificate(f'{path}: not a certificate: no "schema"')
    if document["schema"] != SCHEMA:
        raise BadCertificate(
            f"{path}: schema is {document['schema']!r}, this version reads {SCHEMA!r}"
        )
    if problem := first_violation(document):
        raise BadCertificate(f"{path}: does not follow {SCHEMA}: {problem}")
    if (computed := checksum(document)) != document["sha256"]:
        raise BadCertificate(
            f"{path}: content was changed: recorded SHA-256 {document['sha256'][:16]}..., "
            f"computed {computed[:16]}..."
        )
    return document


def first_violation(document: Any) -> str | None:
    """The schema violation that best explains what is wrong, with its place, or None."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(document))
    if error is None:
        return None
    message = error.message if len(error.message) <= 160 else error.message[:157] + "..."
    return f"{error.json_path}: {message}"


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
