"""The certificate: one JSON document that says what was judged, where, and with what outcome.

The SHA-256 covers the canonical JSON (sorted keys, no spaces, ASCII) of everything but itself, so
white space may change and content may not. It guards against accidents and silent edits; it is not
a signature.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from truestep.properties.judge.results import CheckResult
from truestep.reports import environment, journal, verdicts

SCHEMA = "truestep-certificate/1"
SCHEMA_FILE = Path(__file__).with_name("certificate.schema.json")

_NUMBERS = ("oracle_fraction", "utilisation")

# Objects of a JSON document whose shape the schema has checked.
Record = Mapping[str, Any]
Certificate = dict[str, Any]


class BadCertificate(ValueError):
    """A file is not a certificate this version trusts; the message names file and value."""


def plain(value: object) -> Any:
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


def result(check: Record) -> CheckResult:
    """A check of a certificate as the record it was made from."""
    known = {name: check[name] for name in CheckResult.__dataclass_fields__ if name in check}
    # Non-finite numbers are strings in JSON.
    numbers = {name: float(known[name]) for name in _NUMBERS if known.get(name) is not None}
    return CheckResult(**{**known, **numbers})


def build(
    *,
    header: Record,
    checks: Sequence[Record],
    complete: bool,
    seconds: float,
    findings: Sequence[Record] = (),
) -> Certificate:
    """The signed certificate of a run; header comes from ``header_of``."""
    checks = sorted((plain(check) for check in checks), key=lambda check: str(check["id"]))
    counted = verdicts.tally(map(result, checks))
    content = {
        **plain(header),
        "complete": complete,
        "seconds": round(seconds, 3),
        "verdict": verdicts.of_run((check["verdict"] for check in checks), complete=complete),
        "summary": {
            "checks": len(checks),
            **counted.counts,
            "examples": counted.examples,
            "utilisation": plain(counted.utilisation),
        },
        "checks": checks,
        "findings": plain(findings),
    }
    return {**content, "sha256": checksum(content)}


def header_of(spec: str, only: str | None, level: str, seed: int) -> Record:
    """What is known before the first check ends, here and now."""
    return {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite": environment.suite(),
        "environment": environment.environment(),
        "backend": {"name": spec, "spec": spec, "unavailable": None},
        "only": only,
        "level": level,
        "seed": seed,
    }


def checksum(content: Record) -> str:
    """SHA-256 of the canonical content, in hex."""
    without = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(without, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def dumps(document: object) -> str:
    """A document as indented ASCII JSON with a final newline."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def read(path: Path) -> Certificate:
    """A certificate, or the journal of an unfinished run as a certificate marked incomplete.

    Raises BadCertificate when the content cannot be trusted and OSError when it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        document = _unfinished(text) if journal.looks_like(text) else _parsed(text)
        if problem := _distrust(document):
            raise ValueError(problem)
    except UnicodeDecodeError as error:
        problem = f"not a certificate: not UTF-8 at byte {error.start}"
    except ValueError as error:
        problem = str(error)
    else:
        return document
    raise BadCertificate(f"{path}: {problem}")


def _parsed(text: str) -> Certificate:
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a certificate: not JSON: {error}") from None
    if not isinstance(document, dict) or "schema" not in document:
        raise ValueError('not a certificate: no "schema"')
    return document


def _unfinished(text: str) -> Certificate:
    header, *lines = journal.records(text)
    try:
        checks = [line["check"] for line in lines]
        return build(
            header=header["header"],
            checks=checks,
            complete=False,
            seconds=sum(check.get("seconds", 0.0) for check in checks),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a record lacks or garbles {error}") from None


def _distrust(document: Certificate) -> str | None:
    """Why a document is no certificate of this schema, or None."""
    if document["schema"] != SCHEMA:
        return f"schema is {document['schema']!r}, this version reads {SCHEMA!r}"
    if problem := first_violation(document):
        return f"does not follow {SCHEMA}: {problem}"
    if (computed := checksum(document)) != document["sha256"]:
        return (
            f"content was changed: recorded SHA-256 {document['sha256'][:16]}..., "
            f"computed {computed[:16]}..."
        )
    return None


def first_violation(document: Record) -> str | None:
    """The schema violation that best explains what is wrong, with its place, or None."""
    error = best_match(_validator().iter_errors(document))
    if error is None:
        return None
    message = error.message if len(error.message) <= 160 else error.message[:157] + "..."
    return f"{error.json_path}: {message}"


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
