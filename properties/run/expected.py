"""Files of checks that are known to fail, or that are not to be run, each with its reason.

One entry to a line: the id of a check, or a glob over ids, then "#" and the reason. With a
backend's name before it, "NAME/ID", an entry is of that backend alone. Empty lines, and those that
begin with "#", say nothing.

    optimizer/adamw/bfloat16/*    # moments are rounded toward zero: my_kernels issue 12
    mine/quantizer/nf4/strata     # ties go to the wrong side
"""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


class BadList(ValueError):
    """A line that is no entry; the message has the file, the line and what is due."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line says. place: the file and the line's number."""

    glob: str
    reason: str
    place: str

    def of(self, backend: str, check: str) -> bool:
        """Whether the entry is of this check."""
        return any(fnmatch.fnmatchcase(id, self.glob) for id in (check, f"{backend}/{check}"))

    def told(self) -> str:
        """The entry in words."""
        return f"{self.reason} ({self.place})"


def read(path: Path) -> list[Entry]:
    """The entries of a file. Raises BadList and OSError."""
    entries = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadList(f"{path}: not UTF-8 at byte {error.start}") from None
    for number, line in enumerate(lines, 1):
        glob, _, reason = (part.strip() for part in line.partition("#"))
        place = f"{path}, line {number}"
        if glob and not reason:
            raise BadList(f"{place}: {glob!r} has no reason; write: {glob}  # REASON")
        if glob:
            entries.append(Entry(glob, reason, place))
    return entries


def entry_of(entries: Iterable[Entry], backend: str, check: str) -> Entry | None:
    """The first entry that is of this check, if there is one."""
    return next((entry for entry in entries if entry.of(backend, check)), None)


def unmatched(entries: Iterable[Entry], checks: Sequence[tuple[str, str]]) -> list[Entry]:
    """Entries of none of the checks; checks: the name of the backend and the id of each."""
    return [entry for entry in entries if not any(entry.of(*check) for check in checks)]
