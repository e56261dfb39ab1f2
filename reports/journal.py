"""The journal: results as JSON lines while a run lasts, so that a killed run loses nothing.

The first line is the certificate's header, each further line one check. Each line ends with a seal,
a hash of its content and of the seal before it, so that no line can be changed, lost from the
middle, repeated or moved unnoticed; what was cut off at the end cannot be told from a run that was
killed sooner. The file is removed once the certificate that holds the same content is written.

A torn last line is what a killed run leaves, and is left out. Any other damage makes the file
untrustworthy from that line on, and reading is refused with the line's number: a report that
silently shows less would be believed. Nothing before it is lost, because the beginning of a journal
is itself a journal: the refusal says how many lines to keep, and resuming keeps them by itself and
runs the rest again.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from truestep.reports import strict

MARK = "truestep-journal/2"
ENDING = ".partial.jsonl"

_LINE = re.compile(r"[^\n]*\n")


class Journal:
    """Appends checks to a file of its own. After a failed write it stops, and keeps the error."""

    def __init__(self, folder: Path, stem: str, header: Mapping[str, object]) -> None:
        """Create the file; raises OSError where the folder cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._file = _new_file(folder, stem)
        self.error: OSError | None = None
        self._seal = ""
        try:
            self._write({"journal": MARK, "header": header})
        except OSError:
            self.discard()
            raise

    def append(self, check: Mapping[str, object]) -> None:
        """Record one check. A full disk does not raise: the run goes on in memory."""
        if self.error is None:
            try:
                self._write({"check": check})
            except OSError as error:
                # A later write could land after a torn line and make the file unreadable.
                self.error = error

    def close(self) -> None:
        """Close the file and keep it."""
        os.close(self._file)

    def discard(self) -> None:
        """Close and remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _write(self, record: Mapping[str, object]) -> None:
        self._seal = _sealed(self._seal, record)
        sealed = {**record, "seal": self._seal}
        line = json.dumps(sealed, allow_nan=False).encode("ascii") + b"\n"
        while line:
            line = line[os.write(self._file, line) :]


def _new_file(folder: Path, stem: str) -> tuple[Path, int]:
    number = 1
    while True:
        path = folder / (f"{stem}{ENDING}" if number == 1 else f"{stem}.{number}{ENDING}")
        try:
            # Exclusive: the journal of an earlier, killed run is never overwritten.
            return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
        except FileExistsError:
            number += 1


def _sealed(before: str, record: Mapping[str, object]) -> str:
    text = before + json.dumps(record, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def looks_like(text: str) -> bool:
    """Whether text starts as a journal does."""
    return text.startswith('{"journal"')


def intact(text: str) -> tuple[list[Any], str]:
    """The lines before the first damaged one, header first, and what is wrong with that one, or "".

    Raises ValueError where there is no header, or too much of all.
    """
    reading = strict.Reading(text)
    found: list[Any] = []
    damage, seal = "", ""
    # What follows the last line feed is torn, or nothing.
    for number, line in enumerate(_LINE.finditer(text), 1):
        try:
            record = reading.parsed(line[0])
            if not isinstance(record, dict):
                raise ValueError("not an object")
            told = record.pop("seal", None)
            seal = _sealed(seal, record)
            if told != seal:
                raise ValueError(f"changed, or not written after line {number - 1}")
        except ValueError as error:
            damage = f"line {number}: {error}"
            break
        found.append(record)
    if not found or found[0].get("journal") != MARK or "header" not in found[0]:
        raise ValueError(damage or f"not a journal of this version ({MARK!r})")
    return found, damage


def records(text: str) -> list[Any]:
    """The lines of a journal, header first; a torn last line is left out. Raises ValueError."""
    found, damage = intact(text)
    if damage:
        kept = f"head -n {len(found)}"
        raise ValueError(f"{damage}; the lines before it are a whole journal ({kept} gives them)")
    return found
