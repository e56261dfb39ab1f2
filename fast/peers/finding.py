"""What a finding is: a verified departure of a library from its rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One verified departure.

    versions: those it was seen in. rule: the reference's rule, or "" where several are concerned.
    contradicts: the line of the rule or of the library's own description that does not hold.
    reproducer: a program; actual is its standard output, expected what it should have been.
    check_glob: ids of the checks whose failure it explains, as globs with spaces between; "" where
    the protocol cannot reach it.
    """

    library: str
    versions: str
    rule: str
    title: str
    contradicts: str
    reproducer: str
    expected: str
    actual: str
    check_glob: str = ""
