"""Arrays that count the operations which their values take, and tell what memory is read.

A rule's own lines run on them unchanged; what they compute and do not use is not counted. An
operation is one result of one elementwise function; sums over n numbers are n - 1, a matrix product
is its multiplications and additions, and a decomposition is what its textbook algorithm takes.
Moving, reshaping and making constants is none; neither is what the host does with hyperparameters
and counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from truestep.reference.validation import Array

# What a processor divides its time by: cheap ones, those that a divider makes, and functions.
SIMPLE, DIVIDER, FUNCTION = "simple", "divider", "function"
CLASSES = (SIMPLE, DIVIDER, FUNCTION)

_DIVIDER = (np.divide, np.sqrt, np.reciprocal, np.floor_divide, np.remainder)
_FUNCTION = (
    np.arctan, np.exp, np.log, np.power, np.sin, np.cos, np.tanh, np.log1p, np.expm1, np.log2,
)  # fmt: skip


def _eigh(n: float, _: float) -> float:
    return 9 * n**3


def _svd(n: float, m: float) -> float:
    least, most = min(n, m), max(n, m)
    return 6 * most * least**2 + 20 * least**3


def _qr(m: float, n: float) -> float:
    return 4 * m * n**2 - 4 * n**3 / 3


# G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th edition, 2013: sections 8.3.3, 8.6.3
# (the thin R-SVD with both sides), 5.2.2 with 5.1.6 (R, and the thin Q) and 3.4; rows and columns.
DECOMPOSITIONS: Mapping[Callable[..., Array], Callable[[float, float], float]] = {
    np.linalg.eigh: _eigh,
    np.linalg.inv: lambda n, _: 2 * n**3,
    np.linalg.qr: _qr,
    np.linalg.svd: _svd,
}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Where an array comes from: so many operations of a class on others, or a named tensor."""

    operations: int = 0
    kind: str = SIMPLE
    parents: tuple[Node, ...] = ()
    name: str = ""


class Tally:
    """What results took: of the operations that were done, those that they depend on."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self.operations: Counter[str] = Counter()
        self.read: set[str] = set()
        self._met: set[Node] = set()
        self._nodes = {name: Node(name=name) for name in tensors}
        self.arrays = {name: self.counted(x, self._nodes[name]) for name, x in tensors.items()}

    def counted(self, x: Array, node: Node) -> Counted:
        """x, which comes from there, as an array that counts here."""
        out = np.asarray(x).view(Counted)
        out.tally, out.node = self, node
        return out

    def take(self, x: object) -> None:
        """Count what x took, once, however often it is used."""
        waiting = [x.node] if isinstance(x, Counted) else []
        while waiting:
            node = waiting.pop()
            if node not in self._met:
                self._met.add(node)
                self.operations[node.kind] += node.operations
                self.read.update({node.name} - {""})
                waiting += node.parents

    def is_unchanged(self, name: str, x: object) -> bool:
        """Whether x is the named tensor as it was."""
        return isinstance(x, Counted) and x.node is self._nodes.get(name)


class Counted(np.ndarray[tuple[int, ...], np.dtype[np.generic]]):
    """An array of a tally; views and results of it are, too."""

    tally: Tally
    node: Node

    def __array_finalize__(self, other: object) -> None:
        if isinstance(other, Counted) and hasattr(other, "tally"):
            self.tally, self.node = other.tally, other.node

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Array, **how: Array) -> Array:
        plain = [_plain(x) for x in args]
        out = getattr(ufunc, method)(*plain, **{name: _plain(x) for name, x in how.items()})
        if method == "reduce":
            operations = max(np.size(args[0]) - np.size(out), 0)
        elif ufunc is np.matmul:
            operations = np.size(out) * max(2 * np.shape(args[0])[-1] - 1, 0)
        else:
            operations = max(np.size(x) for x in (out if isinstance(out, tuple) else (out,)))
        kind = DIVIDER if ufunc in _DIVIDER else FUNCTION if ufunc in _FUNCTION else SIMPLE
        return self._made(out, operations, args, kind)

    def __array_function__(
        self, function: Callable[..., Array], _: object, args: Array, kwargs: Array
    ) -> Array:
        if function in _OF_UFUNCS:
            return super().__array_function__(function, (type(self),), args, kwargs)
        if function is np.where and not isinstance(args[0], Counted) and np.ndim(args[0]) == 0:
            # The host's own choice, which costs nothing and leaves one side unread.
            return args[1] if args[0] else args[2]
        out = function(*_plain(args), **{k: _plain(x) for k, x in kwargs.items()})
        if function in DECOMPOSITIONS:
            *batch, rows, columns = np.shape(args[0])
            each = DECOMPOSITIONS[function](rows, columns)
            return self._made(out, round(math.prod(batch) * each), args)
        if function in (np.sort, np.argsort):
            return self._made(out, round(np.size(out) * math.log2(max(np.size(out), 2))), args)
        if function is np.trace:
            return self._made(out, min(np.shape(args[0])) - 1, args)
        if function in (np.zeros_like, np.ones_like):
            return self._made(out, 0, ())
        return self._made(out, np.size(out) if function is np.where else 0, args)

    def __setitem__(self, place: Array, value: Array) -> None:
        super().__setitem__(place, _plain(value))
        self.node = Node(parents=(self.node, *_nodes([value])))

    def __bool__(self) -> bool:
        # The host asks: it waits for the answer, whatever it makes of it.
        self.tally.take(self)
        return bool(self.view(np.ndarray))

    def __float__(self) -> float:
        self.tally.take(self)
        return float(self.view(np.ndarray))

    def _made(self, out: Array, operations: int, args: Array, kind: str = SIMPLE) -> Array:
        return self._wrapped(out, Node(operations, kind, tuple(_nodes(args))))

    def _wrapped(self, out: Array, node: Node) -> Array:
        if isinstance(out, tuple):
            parts = [self._wrapped(x, node) for x in out]
            return type(out)(*parts) if hasattr(out, "_fields") else tuple(parts)
        return self.tally.counted(out, node) if isinstance(out, (np.ndarray, np.generic)) else out


# Their lines are of ufuncs, which count for themselves.
_OF_UFUNCS = (np.sum, np.mean, np.max, np.min, np.all, np.any, np.clip)


def _nodes(args: Iterable[object]) -> Iterator[Node]:
    """Where the arrays among the arguments come from."""
    for x in args:
        if isinstance(x, Counted):
            yield x.node
        elif isinstance(x, (list, tuple)):
            yield from _nodes(x)


def _plain(x: Array) -> Array:
    """x, and what it holds, as arrays that count nothing."""
    if isinstance(x, (list, tuple)):
        return type(x)(_plain(item) for item in x)
    return x.view(np.ndarray) if isinstance(x, Counted) else x
