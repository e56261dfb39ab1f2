"""A backend in a process of its own, as the judge calls it: what comes back is plain data."""

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import numpy as np

from truestep.fast import discovery
from truestep.fast.host.messages import TEXT, Garbled, Node, Packing, Unpacking
from truestep.fast.host.surroundings import ROUNDING
from truestep.fast.host.walk import arrays_in, in_words
from truestep.fast.locating import BrokenBackend, UnknownBackend
from truestep.fast.protocol import CLASSES, METHODS, BackendUnavailable, Capability, Group, Storage
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.judge.calls import BackendFault, BackendLost, BackendRaised
from truestep.properties.run.hosted import Hosted, Lost, Stray, visible

# So often a process that somebody else has ended is started again; a backend may end itself so.
_REVIVALS = 8

# An answer's members besides its kind.
_MEMBERS: Mapping[str, int] = {"done": 2, "raised": 4}
# Bytes of an answer's arrays: a few times those of the call, since codes of few bits are decoded to
# numbers of 64; and so many where the call had next to none.
_ROOM, _LEAST_ROOM = 64, 2**24
# Words, and characters of each, about what a call has left changed.
_MOST_LEFT, _WORDS = 32, 1000

# Exceptions that mean something to the judge; a backend's other ones are one of these besides.
_KNOWN: Mapping[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (ArithmeticError, BackendUnavailable, np.linalg.LinAlgError, ValueError)
}


class Remote:
    """The backend that spec names: every call is a message to its process, and the answer to it.

    A process that has died is started again for the next call. Raises what discovery.load raises.
    """

    def __init__(self, spec: str, patience: float, host: Hosted | None = None) -> None:
        """patience: seconds of its own after which a call counts as hanging. host: its process."""
        self._spec, self._patience = spec, patience
        self._revivals = 0
        self._lost = False
        self._numbers = itertools.count()
        self._left: list[str] = []
        self._host: Hosted | None = host or Hosted(spec)
        self.name, declared, self.declaration = self._ready()
        try:
            self._capabilities = [_capability(each) for each in declared]
            discovery.check(self, spec)
            self._index = {_key(c): i for i, c in enumerate(self._capabilities)}
        except Exception as error:
            self.close()
            if isinstance(error, BrokenBackend):
                raise
            raise BrokenBackend(f"{spec}: a capability cannot be read: {error}") from error

    def capabilities(self) -> Sequence[Capability]:
        """What the backend declared when it was first loaded."""
        return self._capabilities

    def __getattr__(self, name: str) -> "_Method":
        """A method that backends of some kind have."""
        if not any(name in methods for methods in METHODS.values()):
            raise AttributeError(name)
        return _Method(self, name)

    def seen(self) -> tuple[list[str], bool]:
        """Since this was last asked: what calls have left changed, and whether one was lost."""
        found = list(dict.fromkeys(self._left)), self._lost
        self._left, self._lost = [], False
        return found

    @property
    def pid(self) -> int | None:
        """The number of the backend's process, if there is one."""
        return self._host.pid if self._host else None

    def close(self) -> None:
        """End the process; what it has started and left running is noted, and ended too."""
        if self._host is not None:
            told = self._host.end()
            self._left += [f"a process that it has started: {command}" for command in told]
        self._host = None

    def call(self, method: str, capability: Capability, given: Sequence[object]) -> Any:
        """The backend's answer, in arrays of this process's own; raises BackendLost.

        A step that leaves rounding changed computes its later tensors under that change. They are
        asked for one by one, and their numbers judged as if it had not: it is a fault by itself.
        """
        before = len(self._left)
        answer = self._answered(method, capability, given)
        if method == "optimizer_step" and ROUNDING in self._left[before:]:
            [groups] = cast(Sequence[Sequence[Group]], given)
            with suppress(IndexError, TypeError):  # an answer that is no list of lists
                return [
                    [
                        self._answered(method, capability, [[replace(group, slots=[slot])]])[0][0]
                        for slot in group.slots
                    ]
                    for group in groups
                ]
        return answer

    def _answered(self, method: str, capability: Capability, given: Sequence[object]) -> Any:
        while True:
            try:
                return self._exchanged(self._revived(), method, capability, given)
            except Lost as lost:
                self.close()
                self._left += [str(lost)] if isinstance(lost, Stray) else []
                if lost.outside and self._revivals < _REVIVALS:
                    self._revivals += 1
                    continue
                reason = str(lost)
            except Garbled as error:
                self.close()
                reason = f"the process sent what is no answer: {error}"
            except (BackendFault, BackendRaised):
                raise
            except Exception:  # of the objective, at what the backend has asked it for
                self.close()
                raise
            self._lost = True
            raise BackendLost(reason)

    def _ready(self) -> tuple[str, list[Node], str]:
        """What the process says once it has loaded; once more in a fresh one if it died."""
        host = self._revived(announced=True)
        try:
            return self._announced(host)
        except Lost:
            self.close()
        try:
            return self._announced(self._revived(announced=True))
        except Lost as lost:
            self.close()
            raise BrokenBackend(f"{self._spec}: loading it: {lost}") from None

    def _announced(self, host: Hosted) -> tuple[str, list[Node], str]:
        try:
            host.locate()
            _, *rest = host.announced()
        except (BackendUnavailable, BrokenBackend, UnknownBackend):
            self.close()
            raise
        try:
            name, capabilities, *told = rest
            declaration = visible(str(told[0])[:TEXT]) if told else ""
            return str(name), list(capabilities), declaration
        except (TypeError, ValueError):
            raise Lost(f"it announced {str(rest)[:80]}") from None

    def _revived(self, *, announced: bool = False) -> Hosted:
        """The process, started again if there is none; announced: what it says is still to come."""
        if self._host is None:
            self._host = Hosted(self._spec)
            if not announced:
                self._ready()
        assert self._host is not None
        return self._host

    def _exchanged(
        self, host: Hosted, method: str, capability: Capability, given: Sequence[object]
    ) -> Any:
        host.listen()
        packing, watch = Packing(host.asked), host.watch()
        number = next(self._numbers)
        arguments = [packing.pack(value) for value in given]
        sent = bytes(host.asked[: packing.end])
        unpacking = Unpacking(host.answered, most=_ROOM * packing.end + _LEAST_ROOM)
        host.send("call", number, method, self._index[_key(capability)], arguments)
        while (answer := _numbered(host.receive(self._patience, watch), number))[0] == "evaluate":
            functions = [value for value in given if callable(value)]
            if len(answer) != 2 or len(functions) != 1:
                raise Garbled("a question that cannot be answered")
            if watch.look() > self._patience:
                raise Lost(f"no end of questions within {self._patience:g} s")
            reply = Packing(host.asked, start=packing.end)
            host.send("value", reply.pack(functions[0](unpacking.unpack(answer[1]))))
        kind, *rest = answer
        if len(rest) != _MEMBERS.get(kind) or not isinstance(rest[-1], list):
            raise Garbled(f"an answer {str(kind)[:80]!r} of {len(rest)} members")
        self._left += [visible(str(words)[:_WORDS]) for words in rest[-1][:_MOST_LEFT]]
        if kind == "raised":
            raise _raised(*rest[:-1])
        # Bytes are compared at once, a memoryview's elements one by one.
        if (now := bytes(host.asked[: packing.end])) != sent:
            byte = int(np.argmax(np.frombuffer(now, np.uint8) != np.frombuffer(sent, np.uint8)))
            paths = [path for path, _ in arrays_in(given)]
            raise BackendFault(f"the backend wrote its input {in_words(paths[packing.at(byte)])}")
        return unpacking.unpack(rest[0])


def _numbered(answer: list[Node], number: int) -> list[Node]:
    """An answer without the number of its call; raises Stray where that is another."""
    kind, *rest = answer
    if rest[:1] != [number]:
        raise Stray
    return [kind, *rest[1:]]


class _Method:
    """One method of the backend; guarded: its inputs are looked at where the backend saw them."""

    guarded = True

    def __init__(self, remote: Remote, name: str) -> None:
        self._remote, self._name = remote, name

    def __call__(self, capability: Capability, *given: object) -> Any:
        return self._remote.call(self._name, capability, given)


def _key(capability: Capability) -> tuple[str, ...]:
    return capability.kind, capability.rule, capability.format, capability.variant


def _raised(kinds: Sequence[str], text: str, last: str) -> BackendRaised:
    """What backend_call raises for an exception of the backend, its type as far as it is known."""
    words = [*kinds, text, last] if isinstance(kinds, list) and kinds else [None]
    if not all(isinstance(each, str) for each in words):
        raise Garbled("an exception without a type or a text")
    name, text, last = (visible(each[:TEXT]) for each in (kinds[0], text, last))
    raised = BackendRaised(f"the backend raised {name}: {text}\n{last}")
    raised.__cause__ = next((_KNOWN[kind] for kind in kinds if kind in _KNOWN), Exception)(text)
    return raised


def _capability(node: Node) -> Capability:
    """A capability as the backend declared it, of values that the judge has made."""
    given = dict(_plain(node))
    if isinstance(declared := given["arithmetic"], dict):
        given["arithmetic"] = Arithmetic(**declared)
    if "storage" in given:
        given["storage"] = {name: Storage(**each) for name, each in given["storage"].items()}
    return CLASSES.get(given["kind"], Capability)(**given)


def _plain(node: Node) -> Any:
    """What a declared node stands for; no arrays are in it."""
    if isinstance(node, list):
        tag, items = node
        if tag == "map":
            return {name: _plain(item) for name, item in items.items()}
        return tuple(_plain(item) for item in items)
    return node
