"""Failing checks as GitHub shows them beside the code: workflow commands, a line each."""

from collections.abc import Iterator, Mapping, Sequence

from truestep.properties.judge.results import parted
from truestep.reports import known
from truestep.reports.certificate import Certificate, Record
from truestep.reports.places import place_of
from truestep.reports.verdicts import TOLD, VERDICTS

# GitHub shows ten errors and ten warnings of a step.
MOST = 10
# Lines of a message, which GitHub folds.
_LINES = 12


def annotations(documents: Sequence[Certificate]) -> list[str]:
    """Workflow commands for what fails: errors, and warnings where it is known to fail."""
    found = [command for document in documents for command in _of(document)]
    for level in ("error", "warning"):
        own = [command for command in found if command.startswith(f"::{level} ")]
        found = [command for command in found if command not in own[MOST:]]
        if (more := len(own) - MOST) > 0:
            told = f"{more} more {level}s are in the report"
            found.append(f"::notice title=TrueStep::{told}")
    return found


def _of(document: Certificate) -> Iterator[str]:
    backend = document["backend"]
    where = place_of(backend["spec"])
    place = {"file": str(where.path), "line": str(where.line)} if where else {}
    for check in document["checks"]:
        if check["verdict"] in TOLD:
            told = VERDICTS[check["verdict"]].word
            title = f"{backend['name']}: {check['id']} {told}"
            level = "error" if known.why_known(check) is None else "warning"
            yield _command(level, {**place, "title": title}, _text(check))


def _text(check: Record) -> str:
    """The message without the program that reproduces it, which is in the report."""
    message = parted(str(check["message"]))[0]
    lines = message.splitlines()[:_LINES]
    if why := known.why_known(check):
        lines.append(f"known: {why}")
    return "\n".join(lines) or "no message"


def _command(level: str, properties: Mapping[str, str], message: str) -> str:
    told = ",".join(f"{name}={_escaped(x, ':,')}" for name, x in properties.items())
    return f"::{level} {told}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    """As @actions/core escapes data, and properties besides."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
