"""Replays against the backend's own process: a recorded crash is that check's outcome alone."""

from __future__ import annotations

from click import ClickException

from truestep.fast.locating import BrokenBackend, UnknownBackend
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.remote import Remote
from truestep.properties.run.replay import replay
from truestep.reports.certificate import Record


class CannotReplay(Exception):
    """A check could not be replayed; the message says why."""


class Replayer:
    """Replays checks of one backend one after the other."""

    def __init__(self, spec: str, patience: float) -> None:
        """Load the backend. patience: seconds of a call's own after which it hangs."""
        try:
            self._backend = Remote(spec, patience)
        except (BackendUnavailable, BrokenBackend, UnknownBackend) as error:
            raise ClickException(str(error)) from error

    def __enter__(self) -> Replayer:
        return self

    def __exit__(self, *raised: object) -> None:
        self._backend.close()

    def replay(self, check: Record) -> CheckResult:
        """The check as it comes out now; verdict "crashed" if the process died or hung."""
        try:
            return replay(self._backend, check)
        except ValueError as error:
            raise CannotReplay(str(error)) from error
