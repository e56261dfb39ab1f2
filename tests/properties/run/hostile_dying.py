"""Adapters that die, hang or fork in a call."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np
from hostile import Attack, Attacks, Hostile, Results

from truestep.fast.protocol import Group

C = ctypes.CDLL(None)


def _dies(how: Callable[[], Any], verdict: str, says: str, leaves: str = "") -> Attack:
    def act(_: Sequence[Group], results: Results) -> Results:
        how()
        return results

    return Attack(act, verdict, says, leaves)


def _raises(error: BaseException) -> NoReturn:
    raise error


def _overflow() -> None:
    callback = ctypes.CFUNCTYPE(None)

    def deeper() -> None:
        callback(deeper)()

    sys.setrecursionlimit(10**9)
    deeper()


def _exit_from_thread() -> None:
    threading.Thread(target=os._exit, args=(9,)).start()
    time.sleep(5)


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise self


def _deadlock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _spin() -> None:
    while True:
        pass


def _bomb() -> None:
    for _ in range(20):
        if not os.fork():
            time.sleep(10**6)


def _heir_holds_the_socket() -> None:
    if not os.fork():
        time.sleep(10**6)
    os._exit(11)


def _both_answer() -> None:
    os.fork()


class Dying(Hostile):
    name = "dying"
    attacks: ClassVar[Attacks] = {
        "abort": _dies(C.abort, "crashed", "died of SIGABRT"),
        "both_answer": _dies(_both_answer, "pass", "", "a message that nothing has asked for"),
        "bomb": _dies(_bomb, "pass", "", leaves="truestep.fast.host.serve"),
        "exit": _dies(lambda: os._exit(0), "crashed", "exited with status 0"),
        "exit_from_thread": _dies(_exit_from_thread, "crashed", "exited with status 9"),
        "heir": _dies(_heir_holds_the_socket, "crashed", "exited with status 11"),
        "memory": _dies(lambda: np.ones(2**45), "crashed", "MemoryError"),
        "overflow": _dies(_overflow, "crashed", "died of SIGSEGV"),
        "segfault": _dies(lambda: ctypes.string_at(0), "crashed", "died of SIGSEGV"),
        "system_exit": _dies(lambda: sys.exit(5), "crashed", "exited with status 5"),
        "unspeakable": _dies(lambda: _raises(_Unspeakable()), "crashed", "_Unspeakable"),
    }  # fmt: skip


class Killing(Hostile):
    """Ends itself as others would end it: taken for a fault of theirs only so often."""

    name = "killing"
    attacks: ClassVar[Attacks] = {
        "kills_itself": _dies(lambda: os.kill(os.getpid(), 9), "crashed", "died of SIGKILL"),
        "kills_its_group": _dies(lambda: os.killpg(0, 9), "crashed", "died of SIGKILL"),
        "interrupts": _dies(lambda: _raises(KeyboardInterrupt()), "crashed", "died of SIGINT"),
    }  # fmt: skip


class Regicide(Hostile):
    """Ends the judge that started it."""

    name = "regicide"
    attacks: ClassVar[Attacks] = {
        "judge": _dies(
            lambda: (os.kill(os.getppid(), signal.SIGTERM), time.sleep(60)),
            "crashed", "the judge's process died of SIGTERM, 3 times",
        )
    }  # fmt: skip


class Hanging(Hostile):
    name = "hanging"
    attacks: ClassVar[Attacks] = {
        "deadlock": _dies(_deadlock, "crashed", "no answer within"),
        "sleep": _dies(lambda: time.sleep(10**6), "crashed", "no answer within"),
        "spin": _dies(_spin, "crashed", "no answer within"),
    }  # fmt: skip


class Stopped(Hostile):
    """Stops itself: nobody can tell from outside who did."""

    name = "stopped"
    attacks: ClassVar[Attacks] = {
        "stops": _dies(
            lambda: os.kill(os.getpid(), signal.SIGSTOP), "crashed", "gave no answer, 2 times"
        )
    }  # fmt: skip


class HangsInInit:
    def __init__(self) -> None:
        time.sleep(10**6)


class HangsInCapabilities(Hostile):
    def capabilities(self) -> Any:
        time.sleep(10**6)
