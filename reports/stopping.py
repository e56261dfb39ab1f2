"""Signals that end a run: the first unwinds it, further ones do not disturb the unwinding."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGHUP is not everywhere.
_ENDING = tuple(s for s in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, s))


class Stopped(BaseException):
    """A signal asked for the end. status: what the shell expects of a process that one ended."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Within, Ctrl-C, SIGTERM and SIGHUP raise Stopped once; what cleans up is not interrupted.

    A signal that is ignored from the start, as by nohup, stays ignored. Threads other than the main
    one receive no signals, and change nothing.
    """
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise Stopped(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [signal.Signals[name] for name in _ENDING]
        before = {n: found for n in numbers if (found := signal.getsignal(n)) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
