"""The certificate: one JSON document that says what was judged, where, and with what outcome.

The SHA-256 covers the canonical JSON (sorted keys, no spaces, ASCII) of everything but itself, so
white space may change and content may not. It guards against accidents and silent edits; it is not
a signature. What is read is not believed either: summary, verdict and counts are recomputed from
the checks, and a document that contradicts itself is refused.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from truestep.fast.locating import file_of
from truestep.properties.judge.results import CheckResult, parted
from truestep.reference import own
from truestep.reports import environment, journal, strict, trust, verdicts
from truestep.reports.shape import SCHEMA_FILE, first_violation
from truestep.reports.visible import one_line

__all__ = [
    "SCHEMA", "SCHEMA_FILE", "BadCertificate", "Certificate", "Record", "build", "checksum",
    "dumps", "first_violation", "header_of", "plain", "read", "recorded", "result", "rules",
    "written",
]  # fmt: skip

SCHEMA = "truestep-certificate/1"

# Characters of a refusal.
_LONGEST = 400
# Among more checks than these, one that does not fail keeps no case of more characters: of many
# tensors a case takes thirty thousand, and the seed draws it again.
_MANY, _LONGEST_PASSING = 1000, 200
# Characters of a message's program.
_LONGEST_PROGRAM = 4000

_NUMBERS = ("oracle_fraction", "utilisation")
_FIELDS = frozenset(CheckResult.__dataclass_fields__)

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

# Objects of a JSON document whose shape the schema has checked.
Record = Mapping[str, Any]
Certificate = dict[str, Any]


class BadCertificate(ValueError):
    """A file is not a certificate this version trusts; the message names file and value."""


def plain(value: object) -> Any:
    """The value as JSON can hold it: non-finite floats become "inf", "-inf" and "nan"."""
    # Most values are of these types themselves, and a certificate has millions of them.
    if type(value) is str and value.isascii():
        return value
    if type(value) is float:
        return value if math.isfinite(value) else repr(value)
    if value is None or type(value) in (bool, int):
        return value
    if isinstance(value, (dict, Mapping)):  # a dict is told at once
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (int, float)):
        return plain(int(value) if isinstance(value, int) else float(value))
    # No encoding can hold a lone surrogate.
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def recorded(result: CheckResult) -> Record:
    """A result as files keep it: its case stands once, a long one not in the message's program."""
    record: Certificate = plain(result.to_json())
    message, program = str(record["message"]), parted(str(record["message"]))[1]
    if len(program) > _LONGEST_PROGRAM:
        again = f"    truestep reproduce CERTIFICATE --check {result.id}"
        record["message"] = message.removesuffix(program) + again
    return record


def _without_long_case(check: Record) -> Record:
    """The check, or, where it passes with a long case, the check without it."""
    worst = check["worst"] or {}
    long = len(json.dumps(worst.get("case"))) > _LONGEST_PASSING
    if check["verdict"] in verdicts.FAILING or not long:
        return check
    return {**check, "worst": {name: x for name, x in worst.items() if name != "case"}}


def result(check: Record) -> CheckResult:
    """A check of a certificate as the record it was made from."""
    known = {name: value for name, value in check.items() if name in _FIELDS}
    for name in _NUMBERS:  # JSON has non-finite ones as strings, and whole ones as integers
        if known.get(name) is not None:
            known[name] = float(known[name])
    return CheckResult(**known)


def build(
    *,
    header: Record,
    checks: Iterable[Record],
    complete: bool,
    seconds: float,
    findings: Sequence[Record] = (),
) -> Certificate:
    """The signed certificate of a run; header comes from ``header_of``."""
    kept = sorted((plain(check) for check in checks), key=lambda check: str(check["id"]))
    if len(kept) > _MANY:
        kept = [_without_long_case(check) for check in kept]
    content = {
        **plain(header),
        "complete": complete,
        "seconds": round(seconds, 3),
        **_outcome([result(check) for check in kept], findings, complete=complete),
        "checks": kept,
        "findings": plain(findings),
    }
    return {**content, "sha256": checksum(content)}


def _outcome(
    checks: Sequence[CheckResult], findings: Sequence[Record], *, complete: bool
) -> Certificate:
    """What follows from checks and findings: the verdict and the summary."""
    counted = verdicts.tally(checks)
    departures = len(verdicts.departures(checks, findings))
    return {
        "verdict": verdicts.of_run((check.verdict for check in checks), complete=complete),
        "summary": {
            "checks": len(checks),
            **counted.counts,
            "examples": counted.examples,
            "utilisation": plain(counted.utilisation),
            # Certificates of before there were any have none.
            **({"departures": departures} if departures else {}),
        },
    }


def header_of(
    spec: str, only: str | None, level: str, seed: int, shard: Record | None = None
) -> Record:
    """What is known before the first check ends, here and now; shard: of which part of a run."""
    return {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite": environment.suite(),
        "environment": environment.environment(),
        "backend": {"name": spec, "spec": spec, "unavailable": None, **_file_of(spec)},
        **rules(),
        "only": only,
        "level": level,
        "seed": seed,
        **({} if shard is None else {"shard": shard}),
    }


def rules() -> Record:
    """The member that names the rules of one's own that this process has loaded, if it has any."""
    return {"rules": [rule.to_json() for rule in own.OWN.values()]} if own.OWN else {}


def _file_of(spec: str) -> Record:
    """The SHA-256 of the file that a backend is in, if it is named by one."""
    path = file_of(spec)
    try:
        return {"file_sha256": hashlib.sha256(path.read_bytes()).hexdigest()} if path else {}
    except OSError:  # loading it says why
        return {}


def checksum(content: Record) -> str:
    """SHA-256 of the canonical content, in hex."""
    digest = hashlib.sha256()
    for part in _canonical({key: value for key, value in content.items() if key != "sha256"}):
        digest.update(part.encode("ascii"))
    return digest.hexdigest()


def _canonical(content: Record) -> Iterator[str]:
    """The canonical JSON in parts, one for each check: the whole would be as long as the file."""
    for number, name in enumerate(sorted(content)):
        yield f"{',' if number else '{'}{json.dumps(name)}:"
        value = content[name]
        if isinstance(value, list) and value:
            for index, item in enumerate(value):
                yield ("," if index else "[") + _CANONICAL.encode(item)
            yield "]"
        else:
            yield _CANONICAL.encode(value)
    yield "}"


def dumps(document: object) -> str:
    """A document as indented ASCII JSON with a final newline."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def written(document: Certificate) -> str:
    """A certificate as its file holds it: a line for each check, which halves its size."""
    checks = ",\n".join(json.dumps(check, allow_nan=False) for check in document["checks"])
    rest = dumps({**document, "checks": []})
    head, tail = rest.rsplit('\n "checks": []', 1)
    return f'{head}\n "checks": [\n{checks}\n ]{tail}' if checks else rest


def read(path: Path) -> Certificate:
    """A certificate, or the journal of an unfinished run as a certificate marked incomplete.

    Raises BadCertificate when the content cannot be trusted and OSError when it cannot be read.
    """
    try:
        return checked(_document(path))
    except UnicodeDecodeError as error:
        problem = f"not a certificate: not UTF-8 at byte {error.start}"
    except ValueError as error:
        problem = str(error)
    told = problem if len(problem) <= _LONGEST else f"{problem[:_LONGEST]}..."
    raise BadCertificate(one_line(f"{path}: {told}"))


def _document(path: Path) -> Certificate:
    """What a file holds; its text takes no memory any more."""
    text = strict.content(path)
    return unfinished(*journal.records(text)) if journal.looks_like(text) else _parsed(text)


def checked(document: Certificate) -> Certificate:
    """The document, if its content can be trusted. Raises ValueError with the place."""
    if problem := _distrust(document):
        raise ValueError(problem)
    return document


def _parsed(text: str) -> Certificate:
    try:
        document = strict.parsed(text)
    except ValueError as error:
        raise ValueError(f"not a certificate: {error}") from None
    if not isinstance(document, dict) or "schema" not in document:
        raise ValueError('not a certificate: no "schema"')
    return document


def unfinished(header: Record, *lines: dict[str, Any]) -> Certificate:
    """The lines of a journal, which lose their checks, as a certificate marked incomplete.

    Raises ValueError.
    """
    try:
        seconds = sum(line["check"].get("seconds", 0.0) for line in lines)
        # Each is copied, and takes memory once.
        checks = (line.pop("check") for line in lines)
        return build(header=header["header"], checks=checks, complete=False, seconds=seconds)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"a record lacks or garbles {error}") from None


def _distrust(document: Certificate) -> str | None:
    """Why a document is no certificate of this schema, or None."""
    if document["schema"] != SCHEMA:
        return f"schema is {str(document['schema'])[:100]!r}, this version reads {SCHEMA!r}"
    if problem := first_violation(document):
        return f"does not follow {SCHEMA}: {problem}"
    if (computed := checksum(document)) != document["sha256"]:
        return (
            f"content was changed: recorded SHA-256 {document['sha256'][:16]}..., "
            f"computed {computed[:16]}..."
        )
    checks = [result(check) for check in document["checks"]]
    if problem := trust.contradiction(document, checks):
        return f"contradicts itself: {problem}"
    due_of = _outcome(checks, document["findings"], complete=document["complete"])
    for name, due in due_of.items():
        if document[name] != due:
            return f"contradicts itself: {_differing(name, document[name], due)}"
    return None


def _differing(place: str, told: object, due: object) -> str:
    if isinstance(told, dict) and isinstance(due, dict):
        name = next(name for name in {**due, **told} if told.get(name) != due.get(name))
        return _differing(f"{place}.{name}", told.get(name), due.get(name))
    return f"{place} is {told!r}, its checks give {due!r}"
