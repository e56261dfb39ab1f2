"""The libraries that a page is about, each in its own process."""

from collections.abc import Sequence

from click import ClickException

from truestep.fast.discovery import BrokenBackend, UnknownBackend, available
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.run.hosted import PATIENCE
from truestep.properties.run.remote import Remote
from truestep.reports import terminal

# Backends of which the forms are no library's.
_NOT = ("cuda", "cuda_on_cpu", "reference")


def chosen(specs: Sequence[str]) -> list[str]:
    """The named ones, or all that can be loaded here."""
    return list(specs) or [
        name for name, lacks in available().items() if not lacks and name not in _NOT
    ]


def started(name: str) -> Remote | None:
    """The library, to be closed; None, and a line on standard error, where it cannot run here."""
    try:
        return Remote(name, PATIENCE["standard"])
    except BackendUnavailable as reason:
        terminal.warn(f"{name}: {reason}")
        return None
    except (BrokenBackend, UnknownBackend) as error:
        raise ClickException(str(error)) from error
