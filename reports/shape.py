"""The shape of a certificate: its schema, and limits on what the schema leaves open."""

import json
from collections.abc import Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from jsonschema_rs import ValidationError, Validator, validator_for

SCHEMA_FILE = Path(__file__).with_name("certificate.schema.json")

# Of any text, of any name of a member, of lists and objects within one another. The certificates
# of the peers have texts of 26,000 characters and twelve levels.
LONGEST_TEXT = 1_000_000
LONGEST_NAME = 1_000
DEEPEST = 24

# Beyond this much of a value, a message does not show it.
_SHOWN = 160
# Of a larger part, an error would take much more memory than the document.
_SMALL = 1 << 20


def first_violation(document: Mapping[str, Any]) -> str | None:
    """What a document holds beyond the limits or against the schema, with its place, or None."""
    try:
        return _violation(document)
    except UnicodeEncodeError as error:
        return f"a text holds {error.object[error.start]!a}, which no encoding can hold"


def _violation(document: Mapping[str, Any]) -> str | None:
    for whole, one, beyond in _validators():
        if not whole.is_valid(document):
            return beyond + _located(whole, one, document)
    return None


def _located(whole: Validator, one: Validator, document: Mapping[str, Any]) -> str:
    """Where a document violates what whole asks of it, and one of each check.

    An error holds a copy of the value it is about, so that only small parts are asked for one.
    """
    checks = document.get("checks")
    listed = checks if isinstance(checks, list) else []
    head = {**document, "checks": []} if isinstance(checks, list) else document
    parts = ((one, f"$.checks[{number}]", check) for number, check in enumerate(listed))
    for validator, place, part in chain([(whole, "$", head)], parts):
        if not validator.is_valid(part):
            if len(json.dumps(part)) > _SMALL:
                return f"{place}: too long, or of another shape"
            try:
                validator.validate(part)
            except ValidationError as error:
                return _told(place, error)
    return f"$.checks: has {len(listed)} of them"


def _told(place: str, error: ValidationError) -> str:
    place += "".join(f"[{x}]" if isinstance(x, int) else f".{x}" for x in error.instance_path)
    message = error.message if len(error.message) <= _SHOWN else f"{error.message[:_SHOWN]}..."
    return f"{place}: {message}"


@cache
def _validators() -> tuple[tuple[Validator, Validator, str], ...]:
    """What is asked of a document, the same of one of its checks, and how a refusal begins."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    limits = _limits()
    # A check stands two levels within its document.
    inner = {**limits, "$ref": f"#/$defs/{DEEPEST - 2}"}
    check = {name: schema[name] for name in ("$schema", "$defs")} | {"$ref": "#/$defs/check"}
    beyond = f"beyond {DEEPEST} levels, {LONGEST_TEXT} characters or {LONGEST_NAME} in a name: "
    return (
        (validator_for(limits), validator_for(inner), beyond),
        (validator_for(schema), validator_for(check), ""),
    )


def _limits() -> dict[str, Any]:
    """A schema of any document within the limits, a level of nesting after the other."""
    scalar = {"type": ["boolean", "null", "number", "string"], "maxLength": LONGEST_TEXT}
    levels: dict[str, Any] = {"0": scalar}
    for level in range(1, DEEPEST + 1):
        inner = {"$ref": f"#/$defs/{level - 1}"}
        levels[str(level)] = {
            "maxLength": LONGEST_TEXT,
            "propertyNames": {"maxLength": LONGEST_NAME},
            "additionalProperties": inner,
            "items": inner,
        }
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "$defs": levels, "$ref": f"#/$defs/{DEEPEST}"}
