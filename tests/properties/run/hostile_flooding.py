"""Adapters that print, write and say too much."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

from hostile import Attack, Attacks, Hostile, Results

from truestep.fast.protocol import Capability, Group

CONTROL = "\x1b[2J\x1b]0;owned\x07\u202e\u2066\ud800\x00\r"


def _prints(_: Sequence[Group], results: Results) -> Results:
    block = b"x" * 2**20
    for _ in range(50):
        os.write(1, block)
        os.write(2, block)
    return results


def _prints_control(_: Sequence[Group], results: Results) -> Results:
    os.write(1, CONTROL.encode("utf-8", "surrogatepass") + b"\xff\xfe")
    sys.stderr.flush()
    return results


def _sparse(_: Sequence[Group], results: Results) -> Results:
    with tempfile.TemporaryFile() as file:
        file.truncate(2**30)
    return results


def _too_large(_: Sequence[Group], results: Results) -> Results:
    with tempfile.TemporaryFile() as file:
        file.truncate(2**40)
    return results


def _says(text: str) -> NoReturn:
    raise ValueError(text)


class Backend(Hostile):
    name = "flooding"
    attacks: ClassVar[Attacks] = {
        "long_text": Attack(lambda *_: _says("long " * 2**22), "crashed", "ValueError: long long"),
        "prints": Attack(_prints, "pass"),
        "prints_control": Attack(_prints_control, "pass"),
        "says_control": Attack(lambda *_: _says(CONTROL), "crashed", "ValueError: \\x1b[2J"),
        "sparse": Attack(_sparse, "pass"),
        "too_large": Attack(_too_large, "crashed", "File too large"),
    }  # fmt: skip


class Many(Hostile):
    """Declares 80,000 capabilities."""

    def capabilities(self) -> Any:
        return [Capability("optimizer", "sgd", variant=str(i)) for i in range(80_000)]


class LongName(Hostile):
    """Has a name of 20 million characters."""

    name = "n" * 20_000_000
