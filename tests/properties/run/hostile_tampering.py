"""Adapters that tamper with their process, or with what lies between it and the judge's."""

from __future__ import annotations

import gc
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import ClassVar

import numpy as np
from hostile import Attack, Attacks, Hostile, Results, channel, line, wrong

from truestep.fast.host.messages import framed
from truestep.fast.protocol import Group

Act = Callable[[Sequence[Group], Results], object]


def _sends(raw: bytes) -> Act:
    def act(_: Sequence[Group], results: Results) -> Results:
        line().sendall(raw)
        return results

    return act


def _patches_the_judge(_: Sequence[Group], results: Results) -> Results:
    from truestep.properties.judge import calls, contracts
    from truestep.properties.kinds.optimizer import step
    from truestep.properties.search import exploration

    contracts.SLACK = exploration.SLACK = 1e300  # type: ignore[attr-defined]
    calls.require_array = step.require_array = lambda _, got, *__: got  # type: ignore[assignment]
    return wrong(results)


def _writes_the_hyper(groups: Sequence[Group], results: Results) -> Results:
    for group in groups:
        object.__setattr__(group.hyper, "lr", 0.0)
    return wrong(results)


def _zeroes_what_it_finds(_: Sequence[Group], results: Results) -> Results:
    """Every array that garbage collection knows, and all of the memory that is asked for."""
    channel().asked[: 2**20] = bytes(2**20)
    return wrong(results)


def _empties_modules(_: Sequence[Group], results: Results) -> Results:
    for name in ("json", "numpy", "socket", "truestep.fast.host.messages"):
        sys.modules[name] = None  # type: ignore[assignment]
    return results


def _spoils_json(_: Sequence[Group], results: Results) -> Results:
    json.JSONEncoder.iterencode = lambda *_, **__: "}{"  # type: ignore[assignment,method-assign]
    return results


def _spoils_numpy(_: Sequence[Group], results: Results) -> Results:
    np.ascontiguousarray = lambda x: np.zeros_like(x) + 7  # type: ignore[assignment]
    return results


def _closes_all(_: Sequence[Group], results: Results) -> Results:
    os.closerange(0, 4096)
    return results


def _duplicates_all(_: Sequence[Group], results: Results) -> Results:
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            os.set_inheritable(os.dup(int(number)), True)
    if not os.fork():
        os.execvp("sleep", ["sleep", "987651"])
    return results


def _truncates(_: Sequence[Group], results: Results) -> Results:
    """Were they not sealed, the judge would die of SIGBUS."""
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            os.ftruncate(int(number), 0)
    return results


def _scribbles(_: Sequence[Group], results: Results) -> Results:
    memory = channel().answered

    def scribble() -> None:
        for _ in range(200):
            memory[: 2**16] = b"\xff" * 2**16

    threading.Timer(0.001, scribble).start()
    return results


def _hides(groups: Sequence[Group], results: Results) -> Results:
    """Says that nothing was left changed, and that nothing was written."""
    groups[0].slots[0].grad[...] = 1
    for found in gc.get_objects():
        if type(found).__name__ in ("Surroundings", "Results"):
            type(found).restored = type(found).changed = type(found).aliased = lambda *_: []  # type: ignore[attr-defined]
    return results


def _may_write_the_suite() -> bool:
    """Whether any of the judge's own files can be opened for writing: by its name, or otherwise.

    Otherwise is by the judge's process, by undoing what made them read-only, or by another user's
    rights.
    """
    from truestep.properties.judge import contracts

    judge = f"/proc/{os.getppid()}"
    ours = [contracts.__file__, np.__file__, json.__file__, threading.__file__]
    through = [f"{judge}/root{path}" for path in ours]
    mounts = [os.path.dirname(path) for path in ours]
    for command in (["umount"], ["mount", "-o", "remount,rw,bind"]):
        for before in ([], ["unshare", "-Urm"], ["nsenter", "-m", "-t", str(os.getppid())]):
            for folder in mounts:
                with suppress(OSError):
                    subprocess.run([*before, *command, folder], capture_output=True, check=False)
    for path in (*ours, *through, f"{judge}/mem"):
        with suppress(OSError), open(path, "r+b"):
            return True
    return False


def _writes_the_suite(_: Sequence[Group], results: Results) -> Results:
    return wrong(results) if _may_write_the_suite() else results


def _number() -> int:
    """Of the call that is being answered."""
    frame = sys._getframe()
    while "number" not in frame.f_locals:
        assert frame.f_back is not None
        frame = frame.f_back
    return int(frame.f_locals["number"])


def _forges(*members: object) -> Act:
    def act(_: Sequence[Group], results: Results) -> Results:
        line().sendall(framed(["done", _number(), *members]))
        return results

    return act


STRAY = "a message that nothing has asked for"


class Backend(Hostile):
    """What a process does not outlive, or is not harmed by."""

    name = "tampering"
    attacks: ClassVar[Attacks] = {
        "closes_all": Attack(_closes_all, "crashed", "the process"),
        "duplicates_all": Attack(_duplicates_all, "pass", leaves="sleep 987651"),
        "forges": Attack(_forges(1, []), "fail", "must be a sequence", STRAY),
        "garbage": Attack(_sends(b"\0\0\0\4\xff\xfe\0{" * 99), "crashed", "no message"),
        "hollow_answer": Attack(_forges(), "crashed", "an answer 'done' of 0 members"),
        "huge_array": Attack(
            _forges(["array", "|u1", [2**31], None, 0], []), "crashed", "arrays of more bytes"
        ),
        "huge_length": Attack(_sends(struct.pack(">I", 2**31)), "crashed", "of 2147483648 bytes"),
        "part_of_a_message": Attack(_sends(b'\0\0\0\x40["do'), "crashed", "no message"),
        "spoils_json": Attack(_spoils_json, "crashed", "no message"),
        "truncates": Attack(_truncates, "pass"),
        "writes_the_hyper": Attack(_writes_the_hyper, "fail", "due is"),
        "zeroes_what_it_finds": Attack(_zeroes_what_it_finds, "fail", "wrote its input"),
    }


class EmptiesModules(Hostile):
    name = "empties modules"
    attacks: ClassVar[Attacks] = {"empties": Attack(_empties_modules, "pass")}


class Hides(Hostile):
    name = "hides"
    attacks: ClassVar[Attacks] = {"hides": Attack(_hides, "fail", "wrote its input")}


class PatchesTheJudge(Hostile):
    name = "patches the judge"
    attacks: ClassVar[Attacks] = {"patches": Attack(_patches_the_judge, "fail", "due is")}


class WritesTheSuite(Hostile):
    name = "writes the suite"
    attacks: ClassVar[Attacks] = {"writes": Attack(_writes_the_suite, "pass")}


class Scribbles(Hostile):
    """Writes over its answers until some time after they were given: maybe too late to matter."""

    name = "scribbles"
    attacks: ClassVar[Attacks] = {"scribbles": Attack(_scribbles, "pass")}


class SpoilsNumPy(Hostile):
    name = "spoils NumPy"
    attacks: ClassVar[Attacks] = {"spoils": Attack(_spoils_numpy, "fail", "due is")}
