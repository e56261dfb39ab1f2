"""The process of a backend as the judge sees it: started, spoken to, watched and ended."""

import itertools
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from truestep.fast.host import memory
from truestep.fast.host.confinement import adopts
from truestep.fast.host.messages import (
    LENGTH,
    LOCATED,
    LONGEST,
    TEXT,
    Garbled,
    Node,
    framed,
    parsed,
)
from truestep.fast.locating import BrokenBackend, UnknownBackend
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.run.stopwatch import Stopwatch
from truestep.properties.run.warden import children, end, marked
from truestep.reference import own

# What a backend's process and all that it starts have in their environment, wherever they go: a
# daemon changes its parent, its session and its name.
_MARK = "TRUESTEP_HOST"
_NUMBERS = itertools.count()
# Loading a backend may import a large library from a cold disk.
LOADING = 300.0
# Seconds of its own after which a call hangs: no step on small tensors takes this long, but where a
# kernel is compiled on its first call.
PATIENCE = {"smoke": 60.0, "standard": 60.0, "deep": 300.0}
# Seconds between two looks at a process that has not answered.
_LOOK = 0.5
# Seconds within which a process takes a message that is sent to it.
_TAKING = 60.0
# Times that what a process has left is looked for: while it is ended, it may start more.
_ROUNDS = 20
# Seconds that processes have which end with their parent, as they have asked of the kernel, and
# between two looks at them.
_GRACE, _GLANCE = 1.0, 0.02
# Bytes of what a backend prints that are shown.
_SHOWN = 2**16

# Why a backend cannot be had, as its process tells it.
_REASONS: Mapping[str, type[Exception]] = {
    "BrokenBackend": BrokenBackend,
    "UnknownBackend": UnknownBackend,
    "BackendUnavailable": BackendUnavailable,
}


class Lost(Exception):
    """The process died, hangs, or sent what is no message.

    outside: whether a signal ended it that somebody else sends, not a fault of its own.
    """

    def __init__(self, reason: str, *, outside: bool = False) -> None:
        super().__init__(reason)
        self.outside = outside


class Stray(Lost):
    """A message that nothing has asked for: what has been asked may be asked again elsewhere."""

    def __init__(self) -> None:
        super().__init__("a message that nothing has asked for", outside=True)


# Signals by which users, systems and their memory managers end processes.
_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class Hosted:
    """One process that serves a backend, and the memories that it shares with this one."""

    def __init__(self, spec: str, rules: Sequence[Sequence[str]] | None = None) -> None:
        """Start the process, and tell it what to load.

        rules: of one's own; by default those that this process has loaded.
        """
        ours, theirs = socket.socketpair()
        memories = memory.created(), memory.created()
        self.asked, self.answered = map(memory.mapped, memories)
        self._mark = f"{os.getpid()}-{next(_NUMBERS)}"
        reading, writing = os.pipe()
        passed = theirs.fileno(), *memories
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "truestep.fast.host.serve",
                    *map(str, passed), str(memory.of_the_machine()), str(os.getpid()),
                ],
                stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, pass_fds=passed,
                env={**os.environ, _MARK: self._mark}, start_new_session=True,
            )  # fmt: skip
        finally:
            theirs.close()
            for descriptor in (*memories, writing):
                os.close(descriptor)
        self._socket, self._output, self._printed = ours, reading, 0
        ours.setblocking(False)
        os.set_blocking(reading, False)
        self._begun, self._located = bytearray(), False
        self.send("load", spec, own.specs() if rules is None else rules)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def send(self, *message: Node) -> None:
        """Send one message."""
        left = memoryview(framed(list(message)))
        watch = self.watch()
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                self._wait(select.POLLOUT)
                if watch.look() > _TAKING:
                    raise Lost("the process takes no message") from None
            except OSError:
                return  # who waits for the answer finds that the process has gone

    def locate(self) -> None:
        """Wait until what is to be loaded has been found; raises what discovery.load raises."""
        if not self._located:
            self._located = True
            if (word := self.announced())[0] != LOCATED:
                raise Lost(f"it announced {str(word)[:80]}")

    def announced(self) -> list[Node]:
        """What the process says of loading; raises what discovery.load raises."""
        kind, *rest = self.receive(LOADING)
        if kind == "failed":
            why, text = (*map(str, rest), "", "")[:2]
            raise _REASONS.get(why, BrokenBackend)(visible(text[:TEXT]))
        return [kind, *rest]

    def watch(self) -> Stopwatch:
        """A stopwatch of the process."""
        return Stopwatch(self.pid, _LOOK)

    def listen(self) -> None:
        """Raise Stray where something has come before anything is asked; Lost at the end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if poll.poll(0):
            self._read()
        if self._begun:
            raise Stray

    def receive(self, patience: float, watch: Stopwatch | None = None) -> list[Node]:
        """The next message; raises Lost where the process takes longer, in seconds of its own.

        watch: where they are counted already, for several messages together.
        """
        watch = watch or self.watch()
        while (message := self._complete()) is None:
            if self._wait(select.POLLIN):
                continue
            # A child that it has left may hold its socket open.
            if self._process.poll() is not None:
                raise self._death()
            if watch.look() > patience:
                raise Lost(f"no answer within {patience:g} s; the process was stopped")
        try:
            return parsed(message)
        except Garbled as error:
            raise Lost(f"the process sent what is no message: {error}") from None

    def _complete(self) -> bytes | None:
        """A whole message, if so much has arrived."""
        if len(self._begun) < LENGTH.size:
            return None
        [length] = LENGTH.unpack_from(self._begun)
        if length > LONGEST:
            raise Lost(f"the process sent a message of {length} bytes")
        end = LENGTH.size + length
        if len(self._begun) < end:
            return None
        message = bytes(self._begun[LENGTH.size : end])
        del self._begun[:end]
        return message

    def _wait(self, event: int) -> bool:
        """Wait for the socket, or one look; read what there is, and show what was printed."""
        poll = select.poll()
        poll.register(self._socket, event)
        if self._output >= 0:
            poll.register(self._output, select.POLLIN)
        heard = False
        for descriptor, _ in poll.poll(1000 * _LOOK):
            if descriptor == self._output:
                self._show()
            elif event == select.POLLIN:
                heard = True
                self._read()
        return heard

    def _read(self) -> None:
        try:
            part = self._socket.recv(2**16)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            raise self._death()
        self._begun += part

    def _death(self) -> Lost:
        """How the process ended; it is waited for, and killed if only its socket is closed."""
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return Lost("the process closed its socket")
        return Lost(f"the process {death(code)}", outside=code < 0 and -code in _OUTSIDE)

    def _show(self) -> bool:
        """Pass on what the backend prints, up to a limit; whether there was anything."""
        try:
            part = os.read(self._output, 2**16)
        except BlockingIOError:
            return False
        if not part:
            os.close(self._output)
            self._output = -1
            return False
        room = max(0, _SHOWN - self._printed)
        self._printed += len(part)
        text = part[:room].decode("utf-8", "backslashreplace")
        if room and self._printed >= _SHOWN:
            text += f"\n(what the backend prints beyond {_SHOWN} bytes is not shown)\n"
        with suppress(OSError, ValueError):
            sys.stderr.write(visible(text))
            sys.stderr.flush()
        return True

    def end(self) -> list[str]:
        """End the process and whatever it has started; the commands of what it left, in words."""
        self._process.kill()
        self._process.wait()
        until = time.monotonic() + _GRACE
        while self._descendants() and time.monotonic() < until:
            time.sleep(_GLANCE)
        left: dict[int, str] = {}
        for _ in range(_ROUNDS):
            found = self._descendants()
            left = found | left
            end(list(found))
            if not found:
                break
        # What has escaped may hold the pipe open, and fill it faster than it is read.
        while self._output >= 0 and self._printed < _SHOWN and self._show():
            pass
        self._socket.close()
        if self._output >= 0:
            os.close(self._output)
            self._output = -1
        return [visible(command) for command in left.values()]

    def _descendants(self) -> dict[int, str]:
        """Processes that it has started, directly or not, and their commands."""
        # Where this process adopts, it has no children of its own besides.
        adopted = children(os.getpid()) if adopts() else {}
        return adopted | marked(_MARK, self._mark)


def visible(text: str) -> str:
    """Text with its control characters and marks of direction written out, but for line ends."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def death(code: int | None) -> str:
    """How a process ended, by its exit code."""
    if code is None:
        return "closed its pipe"
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"exited with status {code}"
