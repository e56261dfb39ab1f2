"""A process that outlives a run by a moment, and ends what the run has left: a program of its own.

It reads its input until that ends, which it does however the run ends, and then kills every
process with the run's mark in its environment. Imports nothing else of the suite, to start at once.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

VARIABLE = "TRUESTEP_RUN"
# A process may start another one while it is being looked for.
_ROUNDS = 3


def marked(variable: str, mark: str) -> dict[int, str]:
    """Every other process with that value of a variable: its number, and its command in words."""
    wanted, found = f"{variable}={mark}".encode(), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = _command(entry)
        except OSError:
            continue
    return found


def children(pid: int) -> dict[int, str]:
    """Every running child of a process: its number, and its command in words."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found[int(entry.name)] = _command(entry)
        except OSError:
            continue
    return found


def _command(entry: Path) -> str:
    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").strip()
    return command.decode(errors="backslashreplace")


def end(pids: "list[int]") -> None:
    """Kill processes, of which some may be gone."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue


class Warden:
    """The process, from the run's side; environment: what the run's processes are started with."""

    def __init__(self) -> None:
        mark = f"{os.getpid()}-{os.urandom(8).hex()}"
        self.environment = {VARIABLE: mark}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, mark],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def close(self) -> None:
        """Have it end what is left."""
        cast(IO[bytes], self._process.stdin).close()
        self._process.wait()


def main(mark: str) -> None:
    """Wait for the run to end, and end what it has left."""
    sys.stdin.buffer.read()
    for _ in range(_ROUNDS):
        end(list(marked(VARIABLE, mark)))


if __name__ == "__main__":
    main(sys.argv[1])
