"""The journal: results as JSON lines while a run lasts, so that a killed run loses nothing.

The first line is the certificate's header, each further line one check. The file is removed once
the certificate that holds the same content has been written.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARK = "truestep-journal/1"


class Journal:
    """Appends checks to a file of its own. After a failed write it stops, and keeps the error."""

    def __init__(self, folder: Path, stem: str, header: Mapping[str, object]) -> None:
        """Create the file; raises OSError where the folder cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._file = _new_file(folder, stem)
        self.error: OSError | None = None
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
        line = json.dumps(record, allow_nan=False).encode("ascii") + b"\n"
        while line:
            line = line[os.write(self._file, line) :]


def _new_file(folder: Path, stem: str) -> tuple[Path, int]:
    number = 1
    while True:
        path = folder / (
            f"{stem}.partial.jsonl" if number == 1 else f"{stem}.{number}.partial.jsonl"
        )
        try:
            # Exclusive: the journal of an earlier, killed run is never overwritten.
            return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
        except FileExistsError:
            number += 1


def looks_like(text: str) -> bool:
    """Whether text starts as a journal does."""
    return text.startswith('{"journal"')


def records(text: str) -> list[Any]:
    """The lines of a journal, header first; a torn last line is left out. Raises ValueError."""
    lines = text.splitlines(keepends=True)
    if not lines[-1].endswith("\n"):
        lines.pop()
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"line {number}: not JSON: {error}") from None
    if not found or found[0].get("journal") != MARK or "header" not in found[0]:
        raise ValueError(f"not a journal of this version ({MARK!r})")
    return found
