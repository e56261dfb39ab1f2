"""The main program of a backend's process: python -m truestep.fast.host.serve, with descriptors.

Takes on its command line the descriptors of its socket and of both memories, a limit on its own
memory, and the judge's number; the first message is what to load.
"""

import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from truestep.fast.host import confinement
from truestep.fast.host.memory import mapped
from truestep.fast.host.messages import (
    LENGTH,
    LOCATED,
    TEXT,
    Node,
    Packing,
    Unpacking,
    framed,
    parsed,
)
from truestep.fast.host.results import Results
from truestep.fast.host.surroundings import Surroundings

_LINES = 3


class Ended(Exception):
    """The judge has gone."""


class Channel:
    """The backend's end of the socket, and the two memories."""

    def __init__(self, socket: socket.socket, asked: memoryview, answered: memoryview) -> None:
        self._socket, self.asked, self.answered = socket, asked, answered

    def send(self, *message: Node) -> None:
        """Send one message."""
        self._socket.sendall(framed(list(message)))

    def receive(self) -> list[Node]:
        """The next message of the judge; raises Ended where there is none any more."""
        [length] = LENGTH.unpack(self._exactly(LENGTH.size))
        return parsed(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise Ended
            parts += part
        return bytes(parts)


def main(arguments: list[str]) -> None:
    """Load, say what was found, and answer until the judge goes."""
    *descriptors, limit, parent = map(int, arguments)
    confinement.confine(limit, parent)
    channel = Channel(socket.socket(fileno=descriptors[0]), *map(mapped, descriptors[1:]))
    try:
        _, spec, rules = channel.receive()
        backend = _loaded(channel, str(spec), rules)
        if backend is not None:
            _answer(channel, backend)
    except Ended:
        return


def _loaded(channel: Channel, spec: str, rules: Sequence[Sequence[str]]) -> Any:
    """The backend, announced to the judge once it is located and again once it is loaded.

    None where it cannot be had.
    """
    from truestep.fast import locating
    from truestep.fast.protocol import BackendUnavailable
    from truestep.reference import own

    try:
        own.load_same(rules)
        place = locating.located(spec)
        channel.send(LOCATED)
        from truestep.fast import discovery  # with every rule, which take as long as all before

        backend = discovery.loaded(place)
        capabilities = [_declared(capability) for capability in backend.capabilities()]
    except (locating.BrokenBackend, locating.UnknownBackend, BackendUnavailable) as reason:
        channel.send("failed", type(reason).__name__, str(reason))
        return None
    except Exception as reason:
        channel.send("failed", "BrokenBackend", str(reason) or type(reason).__name__)
        return None
    found = [backend.declaration] if hasattr(backend, "declaration") else []
    channel.send("ready", backend.name, capabilities, *found)
    return backend


def _declared(value: object) -> Node:
    """A capability or a part of it as JSON holds it: dataclasses by their fields."""
    if is_dataclass(value) and not isinstance(value, type):
        return ["map", {f.name: _declared(getattr(value, f.name)) for f in fields(value)}]
    if isinstance(value, (list, tuple)):
        return ["tuple", [_declared(item) for item in value]]
    if hasattr(value, "items"):
        return ["map", {str(name): _declared(item) for name, item in value.items()}]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def _answer(channel: Channel, backend: Any) -> None:
    """Answer the judge's calls."""
    capabilities = list(backend.capabilities())
    surroundings, results = Surroundings(), Results(channel.asked)
    while True:
        _, number, method, index, arguments = channel.receive()
        unpacking = Unpacking(
            channel.asked, copied=False, trusted=True, function=_evaluated(channel, number)
        )
        given = [unpacking.unpack(node) for node in arguments]
        left = results.changed()
        try:
            found = getattr(backend, method)(capabilities[index], *given)
            left += surroundings.restored() + results.aliased(found)
            # Looking at a result may raise too: it may be of the backend's own classes.
            answer = Packing(channel.answered, spread=False).pack(found)
        except Exception as error:
            channel.send("raised", number, *_told(error), left + surroundings.restored())
        else:
            channel.send("done", number, answer, left)


def _told(error: Exception) -> tuple[list[str], str, str]:
    """The names of an exception's types, its text, and its last lines."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be had)"
    last = "".join(traceback.format_exception(error)[-_LINES:]).rstrip()
    return [kind.__name__ for kind in type(error).__mro__], text[:TEXT], last[:TEXT]


def _evaluated(channel: Channel, number: int) -> Callable[[object], object]:
    """The objective, which the judge evaluates."""

    def function(x: object) -> object:
        channel.send("evaluate", number, Packing(channel.answered, spread=False).pack(x))
        _, value = channel.receive()
        return Unpacking(channel.asked, trusted=True).unpack(value)

    return function


if __name__ == "__main__":
    main(sys.argv[1:])
