"""What fails, told where code is reviewed: SARIF in a file, annotations among what is printed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from click import ClickException

if TYPE_CHECKING:
    from truestep.reports.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Alerts:
    """sarif: the file that is written. annotate: whether workflow commands are printed."""

    sarif: Path | None = None
    annotate: bool = False

    @classmethod
    def asked(cls, sarif: Path | None, annotate: str) -> Alerts:
        """annotate: "github", "no", or "auto", which asks whether this is a run of GitHub's.

        Raises ClickException where the file cannot be written: a run may take hours.
        """
        if sarif is not None and (problem := _unwritable(sarif)):
            raise ClickException(f"--sarif {sarif}: cannot write: {problem}")
        here = annotate == "auto" and os.environ.get("GITHUB_ACTIONS") == "true"
        return cls(sarif, annotate == "github" or here)

    def raised(self, documents: Sequence[Certificate]) -> list[str]:
        """Tell what fails in these certificates; a line where the file cannot be written.

        Annotations go to standard error, which GitHub reads too: standard output is the answer's.
        """
        from truestep.reports import annotations, certificate, files, sarif

        if self.annotate:
            for line in annotations.annotations(documents):
                print(line, file=sys.stderr)
        if self.sarif is None:
            return []
        try:
            files.write_atomically(self.sarif, certificate.dumps(sarif.sarif(documents)))
        except OSError as error:
            return [f"--sarif {self.sarif}: cannot write: {error.strerror or error}"]
        return []


def _unwritable(path: Path) -> str:
    """Why a file cannot be written, whose folder is made; "" where it can."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    if path.is_dir():
        return os.strerror(errno.EISDIR)
    return "" if os.access(path.parent, os.W_OK) else os.strerror(errno.EACCES)
