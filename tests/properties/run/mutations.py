"""Answers of a backend, mutated, and a judge that reads them.

python tests/properties/run/mutations.py COUNT SEED prints what came of so many, and the memory.
"""

from __future__ import annotations

import copy
import json
import os
import random
import resource
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from truestep.fast.discovery import BrokenBackend, UnknownBackend
from truestep.fast.host.messages import LENGTH, Node, Packing, framed
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot
from truestep.properties.judge.calls import BackendFault, BackendLost, BackendRaised
from truestep.properties.kinds.optimizer.step import call
from truestep.properties.museum.plant import Kernel
from truestep.properties.run import hosted, remote
from truestep.reference.optimizers import OPTIMIZERS

CAPABILITY = Capability("optimizer", "sgd")
_DECLARED = {"kind": "optimizer", "rule": "sgd", "arithmetic": "ieee_float32"}
READY: Node = ["ready", "fake", [["map", _DECLARED]]]
Mutation = Callable[[random.Random, Node], bytes]
# What a mutated announcement may end in, beside a backend.
REFUSED = (BackendUnavailable, BrokenBackend, UnknownBackend)


class _Dead:
    """In the place of a process: one that has died."""

    pid = os.getpid()

    def poll(self) -> int:
        return -11

    def wait(self, _: float = 0) -> int:
        return -11

    def kill(self) -> None:
        return


class Fake(hosted.Hosted):
    """A process that has sent all that it will ever send, and is gone."""

    def __init__(self, sent: bytes, asked: memoryview, answered: memoryview) -> None:
        self._socket, theirs = socket.socketpair()
        self._process, self._output, self._printed = _Dead(), -1, 0  # type: ignore[assignment]
        self._mark, self._begun, self._located = "fake", bytearray(sent), True
        self.asked, self.answered = asked, answered
        theirs.close()

    def listen(self) -> None:
        """It has answered before it is asked."""

    def send(self, *message: Node) -> None:
        """It does not listen either."""

    def end(self) -> list[str]:
        """It has ended."""
        self._socket.close()
        return []


def _group() -> Group:
    hyper = OPTIMIZERS["sgd"].Hyper()
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    return Group(hyper, [Slot(x, x + 1, {"t": 0, "b": np.zeros_like(x)}, {})], {})


def _trees(memory: memoryview) -> list[Node]:
    """Answers that are right, or could be."""
    groups = [_group()]
    found = Kernel("sgd").optimizer_step(CAPABILITY, groups)
    value = Packing(memory, spread=False).pack(found)
    return [
        ["done", 0, value, []],
        ["done", 0, value, ["the working directory"]],
        ["raised", 0, ["ValueError", "Exception"], "text", "last line", []],
        ["evaluate", 0, ["array", "<f4", [3], None, 64]],
        ["done", 0, ["list", [["scalar", "<f4", "0000803f"], ["foreign", "Thing"]]], []],
    ]


_ODD: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**30, 1e308, float("nan"), float("inf"),
    "", "x" * 300, "\ud800\u202e\x1b", [], {}, [[]],
    "|O", "<O8", "<f4,<f4", "(2,3)<f4", "<U9999999", "|V0", "<M8[ns]", ">f4", "finfo", "bfloat16",
    "int4", "<(",
    ["array", "|u1", [2**33], None, 0], ["array", "<f4", [2**20, 2**20, 2**20], None, 0],
    ["array", "<f4", [0, 2**62], None, 0], ["array", "<f4", [1] * 70, None, 0],
    ["array", "<f4", [3], None, -64], ["array", "<f4", [3], None, 2**62],
    ["array", "<f4", [3], [0], 0], ["array", "<f4", [True], None, 0],
    ["scalar", "<f4", "zz"], ["scalar", "<f4", ""], ["scalar", "<U1", "ffffffff"],
    ["function"], ["hyper", "os", {}], ["foreign", {"a": 1}], ["stepped", 1], ["slot", 1, 2],
    ["group"], ["tuple", 5], ["map", []], ["list", {"a": 1}],
]  # fmt: skip


def _places(node: Node) -> Iterator[tuple[Any, Any]]:
    """Every member of every list and mapping in a message, by its holder."""
    members = enumerate(node) if isinstance(node, list) else node.items()
    for key, item in list(members):
        yield node, key
        if isinstance(item, (list, dict)):
            yield from _places(item)


def _structure(rng: random.Random, tree: Node) -> bytes:
    """Members replaced, removed, doubled or nested deeply."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        holder, key = rng.choice(list(_places(tree)) or [(tree, 0)])
        match rng.randrange(5):
            case 0 if isinstance(holder, list):
                holder.insert(key, json.loads(json.dumps(holder[key])))
            case 1:
                del holder[key]
            case 2:
                for _ in range(rng.choice((3, 20, 60))):
                    holder[key] = ["list", [holder[key]]]
            case _:
                holder[key] = copy.deepcopy(rng.choice(_ODD))
        if not tree:
            return framed([])
    return framed(tree)


def _bytes(rng: random.Random, tree: Node) -> bytes:
    """Bytes flipped, lost, added, or a length that is not the text's."""
    raw = bytearray(framed(tree))
    for _ in range(rng.choice((1, 1, 3, 10))):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    match rng.randrange(4):
        case 0:
            del raw[rng.randrange(len(raw)) :]
        case 1:
            raw[rng.randrange(len(raw)) :] = rng.randbytes(rng.randrange(64))
        case 2:
            raw[: LENGTH.size] = struct.pack(">I", len(raw) - LENGTH.size)
    return bytes(raw)


def _text(rng: random.Random, tree: Node) -> bytes:
    """Deep or long texts, and names that stand twice."""
    text = json.dumps(tree)
    bad = rng.choice(
        [
            "[" * 100_000, '["done",0,' + "[" * 5000 + "]" * 5000 + ",[]]",
            '["done",0,["map",{' + ",".join('"a":1' for _ in range(1000)) + "}],[]]",
            '["done",0,' + "9" * 5000 + ",[]]", text + text, text.replace("0", "00"),
            '["done",0,["list",[' + ",".join(["[]"] * 100_000) + "]],[]]",
            '["done",0,1,[' + ",".join(['"word"'] * 100_000) + "]]",
            '["done",0,["list",[' + ",".join(['["array","|u1",[65536],null,0]'] * 2000) + "]],[]]",
        ]
    ).encode()  # fmt: skip
    return LENGTH.pack(len(bad)) + bad


def outcome(rng: random.Random, asked: memoryview, answered: memoryview) -> str:
    """What reading one mutated message ends in: a result, or the name of an exception."""
    mutate: Mutation = rng.choice((_structure, _structure, _bytes, _text))
    if rng.randrange(8) == 0:
        sent = mutate(rng, rng.choice([copy.deepcopy(READY), ["failed", "UnknownBackend", "why"]]))
    else:
        sent = framed(READY) + mutate(rng, rng.choice(_trees(answered)))
    try:
        backend = remote.Remote("fake", 1.0, Fake(sent, asked, answered))
    except REFUSED as refused:
        return type(refused).__name__
    try:
        call(backend, CAPABILITY, [_group()])  # type: ignore[arg-type]
    except BackendRaised as raised:
        # An exception of the backend's was raised elsewhere; with a traceback, it is one of ours.
        if raised.__cause__ is None or raised.__cause__.__traceback__ is not None:
            raise
        return "BackendRaised"
    except (BackendFault, BackendLost) as due:
        return type(due).__name__
    finally:
        backend.close()
    return "a result"


def shared(size: int = 2**20) -> tuple[memoryview, memoryview]:
    """Memories such as lie between the processes, in one."""
    return memoryview(bytearray(size)), memoryview(bytearray(size))


class NoProcess:
    """In the place of Hosted: a process that is not started again."""

    def __init__(self, _: str) -> None:
        raise hosted.Lost("it is not started again")


def main(count: int, seed: int) -> None:
    """Print how many ended in what, the longest in seconds, and the most memory in MB."""
    remote.Hosted = NoProcess  # type: ignore[assignment,misc]
    ended: Counter[str] = Counter()
    longest, memories = 0.0, shared()
    for number in range(count):
        begun = time.perf_counter()
        ended[outcome(random.Random(seed + number), *memories)] += 1
        longest = max(longest, time.perf_counter() - begun)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{dict(ended)}; the longest {longest:.3f} s; {most:.0f} MB at most")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
