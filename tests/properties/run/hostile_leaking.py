"""Adapters that compute what is due, and leave their process changed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from hostile import Attack, Attacks, Hostile, Results

from truestep.fast.protocol import Group

C = ctypes.CDLL(None)
ROUNDING = "the floating-point environment"
# x86-64's fenv_t: where MXCSR lies in it, its bits of flush-to-zero, and rounding upwards.
MXCSR, FLUSH, UPWARD = 28, 0x8040, 0x800


def _flush(_: Sequence[Group], results: Results) -> Results:
    environment = ctypes.create_string_buffer(32)
    C.fegetenv(environment)
    word = ctypes.c_uint32.from_buffer(environment, MXCSR)
    word.value |= FLUSH
    C.fesetenv(environment)
    return results


def _upward(_: Sequence[Group], results: Results) -> Results:
    C.fesetround(UPWARD)
    return results


def _blocks(_: Sequence[Group], results: Results) -> Results:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
    return results


def _handles(_: Sequence[Group], results: Results) -> Results:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    return results


def _moves(_: Sequence[Group], results: Results) -> Results:
    os.chdir("/")
    return results


def _raises_on_nan(_: Sequence[Group], results: Results) -> Results:
    np.seterr(all="raise")
    return results


def _variables(_: Sequence[Group], results: Results) -> Results:
    os.environ.clear()
    os.environ["PYTHONPATH"] = os.environ["HOME"] = "/nowhere"
    return results


def _threads(_: Sequence[Group], results: Results) -> Results:
    for _ in range(64 + 4 * (os.cpu_count() or 1)):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    return results


def _files(_: Sequence[Group], results: Results) -> Results:
    while True:
        try:
            os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return results


def _child(_: Sequence[Group], results: Results) -> Results:
    subprocess.Popen(["sleep", "987654"], start_new_session=True)
    return results


def daemon(*command: str, **environment: str) -> None:
    """A process that is nobody's child, in a session of its own, that knows of no run."""
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execvpe(command[0], list(command), environment)


def _daemon(_: Sequence[Group], results: Results) -> Results:
    daemon("sleep", "987653", **os.environ)
    return results


def _nameless_daemon(_: Sequence[Group], results: Results) -> Results:
    daemon("sleep", "987652", PATH=os.environ["PATH"])
    return results


class Backend(Hostile):
    name = "leaking"
    attacks: ClassVar[Attacks] = {
        "blocks_signals": Attack(_blocks, "pass", leaves="the mask of blocked signals"),
        "child": Attack(_child, "pass", leaves="sleep 987654"),
        "daemon": Attack(_daemon, "pass", leaves="sleep 987653"),
        "flushes": Attack(_flush, "pass", leaves=ROUNDING),
        "handles_signals": Attack(_handles, "pass"),
        "moves": Attack(_moves, "pass", leaves="the working directory"),
        "nameless_daemon": Attack(_nameless_daemon, "pass", leaves="sleep 987652"),
        "raises_on_nan": Attack(_raises_on_nan, "pass", leaves="NumPy's handling"),
        "rounds_upward": Attack(_upward, "pass", leaves=ROUNDING),
        "threads": Attack(_threads, "pass"),
    }  # fmt: skip


class Exhausting(Hostile):
    """Takes what later calls would need: variables, and every descriptor."""

    name = "exhausting"
    attacks: ClassVar[Attacks] = {
        "variables": Attack(_variables, "pass"),
        "files": Attack(_files, "pass"),
    }


class Flooding(Hostile):
    """A daemon without the run's marks fills the backend's output and never ends."""

    name = "flooding daemon"
    attacks: ClassVar[Attacks] = {
        "floods": Attack(
            lambda _, r: (daemon(sys.executable, "-c", "while 1: print('x' * 4096)"), r)[1],
            "pass", leaves="print('x' * 4096)",
        )
    }  # fmt: skip
