"""Which of a backend's checks are meant, and which of them belong together: by their ids alone."""

import fnmatch
from collections.abc import Hashable, Sequence

from truestep.properties.judge.results import Check


def matching(checks: Sequence[Check], only: str | None) -> list[Check]:
    """The checks whose id matches a glob; a plain word matches anywhere in it."""
    if only is None:
        return list(checks)
    return [check for check in checks if fnmatch.fnmatchcase(check.id, globbed(only))]


def chosen(name: str, checks: Sequence[Check], only: str | None) -> list[Check]:
    """Those that match; raises ValueError, with the backend's name, where none does."""
    found = matching(checks, only)
    if not found:
        raise ValueError(f"no check of {name} matches {only!r}; one is {checks[0].id!r}")
    return found


def globbed(only: str) -> str:
    """A glob as it is; around a plain word, what lets it stand anywhere."""
    return only if any(c in only for c in "*?[") else f"*{only}*"


def alike(check: Check) -> Hashable:
    """What checks have in common that may be drawn the same cases: evaluations serve them all."""
    return check.kind, check.rule, check.name, tuple(sorted(check.capability.dialect.items()))
