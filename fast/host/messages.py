"""What passes between the judge's process and the backend's, and how.

Over 300 lines, for both directions of one format.

A message is four bytes of length, most significant first, and so many bytes of JSON; arrays lie
beside it, in memory that both processes map. JSON's numbers, strings, booleans and null stand for
themselves; everything else is a list that begins with what it is:

    ["array", dtype, shape, strides or null, offset]  bytes in the sender's memory
    ["scalar", dtype, hex]                  a NumPy scalar, by its bytes
    ["list", [...]], ["tuple", [...]], ["map", {...}]
    ["hyper", module, class, {...}]         a rule's Hyper, by its place in the reference
    ["group", hyper, slots, storage], ["slot", param, grad, state, inputs]
    ["stepped", param, state]
    ["function"]                            an objective; it is evaluated by asking back
    ["foreign", name]                       what is none of these: the name of its type

Messages of the judge: ["load", spec, rules], of one's own; ["call", number, method, capability's
index, [arguments]]; ["value", value] of the function. Of the backend: ["located"] once what is to
be loaded has been found; ["ready", name, capabilities], with the declaration where there is one,
after loading, or ["failed", why, text] in the place of either;
["done", number, value, left], ["raised", number, types, text, lines, left] or ["evaluate", number,
value] after the call of that number. declaration: of a backend that was wrapped, what was found.
left: what the call left changed of the process, in words.
"""

import copy
import dataclasses
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from truestep.fast.host import dtypes
from truestep.fast.protocol import Array, Group, Slot, Stepped
from truestep.reference.declared import Hyper

# A value as JSON holds it.
Node = Any

# Bytes of pattern before and after every array: a kernel that writes there is found out.
GUARD = 64
_PATTERN = bytes(range(0xA5, 0xA5 + GUARD))
# Alignment and displacement leave less than this between two arrays.
_FILL = 4 * _PATTERN
# Bytes of a message from a backend: names, numbers and places, never the arrays themselves.
LONGEST = 2**23
# Characters of an exception's text, and of its last lines, that are told.
TEXT = 2**14
_DEEPEST = 12
_PLAIN = (str, int, float, bool, type(None))
# No count is larger, and Python refuses to write integers of some thousand digits out.
_FARTHEST = 2**64
LENGTH = struct.Struct(">I")
LOCATED = "located"
# json.dumps would make an encoder at every call.
_ENCODED = json.JSONEncoder(separators=(",", ":")).encode


class Garbled(ValueError):
    """Something arrived that is no message."""


def framed(message: Node) -> bytes:
    """A message as it is sent."""
    text = _ENCODED(message).encode("ascii")
    return LENGTH.pack(len(text)) + text


def parsed(text: bytes) -> list[Node]:
    """A message's list; raises Garbled."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Garbled(f"not JSON: {error}") from None
    if not isinstance(found, list) or not found or not isinstance(found[0], str):
        raise Garbled(f"not a message: {text[:80]!r}")
    return found


class Packing:
    """Values on their way out: their arrays are laid one after the other into memory.

    memory: what both processes map. start: the first byte that may be written. spread: whether
    arrays keep the strides, gaps and alignment that they have, or are laid out contiguously.
    """

    def __init__(self, memory: memoryview, *, start: int = 0, spread: bool = True) -> None:
        self._memory, self.end, self._spread = memory, start, spread
        self._firsts: list[int] = []

    def pack(self, value: object) -> Node:
        """A value as JSON holds it."""
        kind = type(value)
        if kind in _PLAIN and (kind is not int or -_FARTHEST <= value <= _FARTHEST):  # type: ignore[operator]
            return value
        if kind is np.ndarray and dtypes.numeric(value.dtype):  # type: ignore[attr-defined]
            return self._array(value)  # type: ignore[arg-type]
        if packed := _COMPOUND.get(kind):
            tag, fields = packed
            return [tag, *[self.pack(getattr(value, f)) for f in fields]]
        if isinstance(value, (list, tuple)):
            return ["tuple" if kind is tuple else "list", [self.pack(item) for item in value]]
        if kind is dict or isinstance(value, Mapping):
            return ["map", {str(k): self.pack(x) for k, x in value.items()}]  # type: ignore[attr-defined]
        return self._other(value)

    def _other(self, value: object) -> Node:
        if isinstance(value, Hyper):
            return _packed(value)
        if isinstance(value, np.generic) and dtypes.numeric(value.dtype):
            return ["scalar", dtypes.name_of(value.dtype), value.tobytes().hex()]
        if callable(value):
            return ["function"]
        if isinstance(value, Sequence) and not isinstance(value, bytes):
            return ["list", [self.pack(item) for item in value]]
        return ["foreign", type_name(value)]

    def _array(self, x: Array) -> Node:
        if not self._spread:
            x = np.ascontiguousarray(x).reshape(x.shape)
        size = x.nbytes
        dense = x.flags.c_contiguous
        before = 0
        if not dense:
            before, size = _extent(x)
        viewed = self._spread and x.base is not None and x.size > 0
        shift = _displacement(x, before) if viewed else 0
        first = _aligned(self.end + GUARD) + shift
        if first + size + GUARD > len(self._memory):
            raise MemoryError(f"{size} bytes do not fit into {len(self._memory)}")
        if self._spread:
            self._guard(first, size, dense)
        self.end = first + size + GUARD
        if size:
            held = np.ndarray(x.shape, x.dtype, self._memory, first + before, x.strides)
            held[...] = x
        self._firsts.append(first)
        strides = None if dense else list(x.strides)
        return ["array", dtypes.name_of(x.dtype), list(x.shape), strides, first + before]

    def _guard(self, first: int, size: int, dense: bool) -> None:
        """Fill what lies between this array and the last one, its own gaps, and some bytes more."""
        end = first + size
        self._memory[self.end : first] = _FILL[: first - self.end]
        if not dense:
            self._memory[first:end] = (_PATTERN * (size // GUARD + 1))[:size]
        self._memory[end : end + GUARD] = _PATTERN

    def at(self, byte: int) -> int:
        """Which of the arrays, in the order of packing, holds this byte or lies next to it."""
        return max(sum(first <= byte + GUARD for first in self._firsts) - 1, 0)


_COMPOUND: dict[type, tuple[str, tuple[str, ...]]] = {
    Slot: ("slot", ("param", "grad", "state", "inputs")),
    Stepped: ("stepped", ("param", "state")),
    Group: ("group", ("hyper", "slots", "storage")),
}


def _aligned(offset: int) -> int:
    return (offset + GUARD - 1) // GUARD * GUARD


def _address(x: Array) -> int:
    return int(x.__array_interface__["data"][0])


def _extent(x: Array) -> tuple[int, int]:
    """Bytes from an array's first one in memory to its first element, and to its end."""
    if not x.size:
        return 0, 0
    low, high = np.lib.array_utils.byte_bounds(x)
    return _address(x) - low, high - low


def _displacement(x: Array, before: int) -> int:
    """How far behind an aligned address an array begins: as far as in the array that it views."""
    base = x
    while isinstance(base.base, np.ndarray):
        base = base.base
    return (_address(x) - before - _address(base)) % GUARD


@lru_cache(maxsize=4096)
def _packed(hyper: Hyper) -> Node:
    """A rule's Hyper, whose fields are numbers, texts and tuples of them."""
    packing = Packing(memoryview(b""))
    fields = {f.name: getattr(hyper, f.name) for f in dataclasses.fields(hyper)}
    named = {name: packing.pack(x) for name, x in fields.items()}
    return ["hyper", type(hyper).__module__, type(hyper).__qualname__, named]


def type_name(value: object) -> str:
    """What a type is called in a message."""
    kind = type(value)
    if kind is np.ndarray:
        return f"ndarray of {value.dtype}"  # type: ignore[attr-defined]
    if isinstance(value, np.ndarray):
        return f"{kind.__name__}, a subclass of ndarray"
    return kind.__name__


# The last that were made: a rule's validation takes longer than many a step.
_HYPERS: dict[str, Hyper] = {}
_MOST_HYPERS = 1024


class Unpacking:
    """Values on their way in.

    memory: what the sender wrote its arrays to. copied: whether arrays are copied out of it.
    function: what stands for a function. most: bytes of all arrays of a value. trusted: whether
    the sender is the judge, which alone may name modules.
    """

    def __init__(
        self,
        memory: memoryview,
        *,
        copied: bool = True,
        function: Callable[[Array], object] | None = None,
        most: int | None = None,
        trusted: bool = False,
    ) -> None:
        self._memory, self._copied = memory, copied
        self._most = self._room = len(memory) if most is None else most
        self._function, self._trusted = function, trusted

    def unpack(self, node: Node, depth: int = 0) -> Any:
        """The value; raises Garbled."""
        if depth == 0:
            self._room = self._most
        if type(node) in _PLAIN:
            return node
        try:
            tag, *rest = node
            make = _MADE[tag]
        except (KeyError, TypeError, ValueError):
            raise Garbled(f"not a value: {str(node)[:80]}") from None
        if depth > _DEEPEST:
            raise Garbled(f"values nested more than {_DEEPEST} deep")
        try:
            return make(self, depth + 1, *rest)
        except Garbled:
            raise
        except Exception as error:  # whatever it is, the message is at fault
            raise Garbled(f"{tag}: {error}") from error

    def _array(
        self, _: int, dtype: str, shape: list[int], strides: list[int] | None, offset: int
    ) -> Array:
        if not self._trusted:
            if strides is not None:
                raise Garbled("an array with strides")
            for n in (*shape, offset):
                if type(n) is not int or n < 0:
                    raise Garbled(f"an array of shape {shape} at {offset}")
        found: Array = np.ndarray(
            tuple(shape), dtypes.named(dtype), buffer=self._memory, offset=offset,
            strides=None if strides is None else tuple(strides),
        )  # fmt: skip
        self._room -= found.nbytes
        if self._room < 0:
            raise Garbled(f"arrays of more bytes than an answer has, one of shape {shape}")
        return found.copy() if self._copied else found

    def _scalar(self, _: int, dtype: str, data: str) -> object:
        return np.frombuffer(bytes.fromhex(data), dtypes.named(dtype), 1)[0]

    def _list(self, depth: int, items: list[Node]) -> list[Any]:
        return [self.unpack(item, depth) for item in items]

    def _tuple(self, depth: int, items: list[Node]) -> tuple[Any, ...]:
        return tuple(self._list(depth, items))

    def _map(self, depth: int, items: dict[str, Node]) -> dict[str, Any]:
        return {name: self.unpack(item, depth) for name, item in items.items()}

    def _stepped(self, depth: int, param: Node, state: Node) -> Stepped:
        return Stepped(self.unpack(param, depth), self.unpack(state, depth))

    def _slot(self, depth: int, *nodes: Node) -> Slot:
        return Slot(*(self.unpack(node, depth) for node in nodes))

    def _group(self, depth: int, *nodes: Node) -> Group:
        return Group(*(self.unpack(node, depth) for node in nodes))

    def _hyper(self, depth: int, module: str, name: str, fields: dict[str, Node]) -> Hyper:
        from importlib import import_module

        if not self._trusted:
            raise Garbled("a Hyper")
        key = f"{module} {name} {fields}"
        if key not in _HYPERS:
            while len(_HYPERS) >= _MOST_HYPERS:
                _HYPERS.popitem()
            _HYPERS[key] = getattr(import_module(module), name)(**self._map(depth, fields))
        # A copy: what a backend writes into it is gone with the call.
        return copy.copy(_HYPERS[key])

    def _asked(self, _: int) -> Callable[[Array], object]:
        if self._function is None:
            raise Garbled("a function")
        return self._function

    def _foreign(self, _: int, name: str) -> "Foreign":
        return Foreign(str(name)[:200])


@dataclasses.dataclass(frozen=True, slots=True)
class Foreign:
    """Something that is no plain data; name: its type in the backend's process."""

    name: str


_MADE: dict[str, Callable[..., Any]] = {
    "array": Unpacking._array,
    "scalar": Unpacking._scalar,
    "list": Unpacking._list,
    "tuple": Unpacking._tuple,
    "map": Unpacking._map,
    "stepped": Unpacking._stepped,
    "slot": Unpacking._slot,
    "group": Unpacking._group,
    "hyper": Unpacking._hyper,
    "function": Unpacking._asked,
    "foreign": Unpacking._foreign,
}
