"""Whether a certificate still speaks of what is here: it names suite, libraries and hardware."""

from collections.abc import Iterator

from truestep.reports import environment
from truestep.reports.certificate import Record

_HARDWARE = ("cpu", "gpu")


def expired(document: Record, here: Record) -> list[str]:
    """What has changed since a certificate was made, a line each; empty where it still holds.

    here: suite and environment as a certificate's header has them. A library counts where both
    have it: of one that is not installed here, nothing here can have changed. Likewise a GPU, where
    the certificate names one.
    """
    return [f"{what} {there} there, {now} here" for what, there, now in _changes(document, here)]


def _changes(document: Record, here: Record) -> Iterator[tuple[str, object, object]]:
    there, now = document["suite"]["version"], here["suite"]["version"]
    if there != now:
        yield "truestep", there, now
    was, found = document["environment"], here["environment"]
    for name, version in was["libraries"].items():
        if found["libraries"].get(name, version) != version:
            yield name, version, found["libraries"][name]
    for name in _HARDWARE:
        if was[name] is not None and was[name] != found[name]:
            yield name, was[name], found[name] or "none"


def here() -> Record:
    """Suite and environment of this process."""
    return {"suite": environment.suite(), "environment": environment.environment()}
