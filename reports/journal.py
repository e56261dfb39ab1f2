"""The journal: results as JSON lines while a run lasts, so that a killed run loses nothing.

The first line is the certificate's header, each further line one check. The file is removed once
the certificate that holds the same content has been written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from truestep.reports import certificate

MARK = "truestep-journal/1"


class Journal:
    """Appends checks to a file of its own. After a failed write it stops, and keeps the error."""

    def __init__(self, folder: Path, stem: str, header: Mapping[str, Any]) -> None:
        """Create the file; raises OSError where the folder cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._file = _new_file(folder, stem)
        self.error: OSError | None = None
        try:
            self._write({"journal": MARK, "header": header})
        except OSError:
            self.discard()
            raise

    def append(self, check: Mapping[str, Any]) -> None:
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

    def _write(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(certificate.plain(record), allow_nan=False).encode("ascii") + b"\n"
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


def parse(path: Path, text: str) -> certificate.Certificate:
    """The journal as an incomplete certificate; a torn last line is left out."""
    lines = text.splitlines(keepends=True)
    if not lines[-1].endswith("\n"):
        lines.pop()
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise certificate.BadCertificate(f"{path}: line {number}: not JSON: {error}") from None
    if not records or records[0].get("journal") != MARK or "header" not in records[0]:
        raise certificate.BadCertificate(f"{path}: not a journal of this version ({MARK!r})")
    try:
        document = certificate.build(
            header=records[0]["header"],
            checks=[record["check"] for record in records[1:]],
            complete=False,
            seconds=sum(record["check"].get("seconds", 0.0) for record in records[1:]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise certificate.BadCertificate(f"{path}: a record lacks or garbles {error}") from None
    return certificate.validated(path, document)
