"""What a call leaves changed of its process: rounding, signals, folder, Python's own settings."""

import ctypes
import os
import platform
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# Bytes of C's fenv_t, and the bits of it that control, by machine: status flags are no change.
_ENVIRONMENTS: dict[str, tuple[int, bytes]] = {
    "x86_64": (32, bytes.fromhex("ffff0000" + "00" * 24 + "c0ff0000")),
    "aarch64": (8, bytes.fromhex("ffffffff00000000")),
}
_C = ctypes.CDLL(None)
# What a process has more and more of where calls leave something behind, by what it is listed in. A
# pool that a library keeps grows a few times; what grows this often does so for ever.
_LISTED = {"threads": "/proc/self/task", "open files": "/proc/self/fd"}
_OFTEN = 32


@dataclass(frozen=True, slots=True)
class _State:
    rounding: int
    blocked: set[int]
    folder: str
    errors: Mapping[str, object]


# How numbers are rounded from then on: later tensors of the same call are computed so too.
ROUNDING = "the floating-point environment"
_WORDS = {
    "rounding": ROUNDING,
    "blocked": "the mask of blocked signals",
    "folder": "the working directory",
    "errors": "NumPy's handling of floating-point errors",
}


class Surroundings:
    """The state of the process after loading; every call has to leave it so."""

    def __init__(self) -> None:
        size, control = _ENVIRONMENTS.get(platform.machine(), (0, b""))
        self._buffer, self._control = ctypes.create_string_buffer(max(size, 64)), control
        self._bits, self._whole = int.from_bytes(control, "little"), b""
        self._due = self._now()
        self._environment = self._whole
        self._most = dict.fromkeys(_LISTED, 0)
        self._growths = Counter[str]()

    def restored(self) -> list[str]:
        """What has changed since loading, in words; it is changed back, but for what has grown."""
        now = self._now()
        if now == self._due:
            return self._grown()
        changed = [
            f"{words} ({getattr(self._due, name)!r} before, {getattr(now, name)!r} after)"
            if name == "folder"
            else words
            for name, words in _WORDS.items()
            if getattr(now, name) != getattr(self._due, name)
        ]
        self._restore()
        return changed + self._grown()

    def _grown(self) -> list[str]:
        """What the calls have left more and more of; said once."""
        found = []
        for what, folder in _LISTED.items():
            if (now := _entries(folder)) > self._most[what]:
                self._most[what] = now
                self._growths[what] += 1
                if self._growths[what] == _OFTEN:
                    found.append(f"its {what}, which grow from call to call: {now} now")
        return found

    def _now(self) -> _State:
        rounding = 0
        if self._control:
            _C.fegetenv(self._buffer)
            self._whole = self._buffer.raw[: len(self._control)]
            rounding = int.from_bytes(self._whole, "little") & self._bits
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        return _State(rounding, blocked, _folder(), np.geterr())

    def _restore(self) -> None:
        if self._control:
            ctypes.memmove(self._buffer, self._environment, len(self._environment))
            _C.fesetenv(self._buffer)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._due.blocked)
        np.seterr(**self._due.errors)  # type: ignore[arg-type]
        if _folder() != self._due.folder:
            os.chdir(self._due.folder)


def _entries(folder: str) -> int:
    """How many there are: a folder of folders has two links more, some have so large a size."""
    try:
        found = os.stat(folder)
        return found.st_nlink - 2 or found.st_size or len(os.listdir(folder))
    except OSError:
        return 0


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "a folder that is gone"
