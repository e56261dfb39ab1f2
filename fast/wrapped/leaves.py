"""What an object keeps: tensors and numbers in its attributes, lists and dictionaries, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

# Keeps another in the place of what is kept.
Put: TypeAlias = Callable[[object], None]

# How deep is looked.
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor or number that is kept. shared: by all parameters. put: keeps another instead."""

    x: Any
    shared: bool
    put: Put


@dataclass(frozen=True, slots=True)
class Walk:
    """Through containers, to what is of the i-th of these parameters or shared by all."""

    params: Sequence[Any]
    i: int
    shared: bool

    def found(
        self, path: str, x: Any, put: Put, depth: int = _DEEPEST
    ) -> Iterator[tuple[str, Leaf]]:
        """The tensors and numbers under a path."""
        if any(x is p for p in self.params) or isinstance(x, bool):
            return
        if isinstance(x, (int, float)) or _shape(x) is not None:
            yield path, Leaf(x, self.shared, put)
        elif depth:
            entry = self._entry(x)
            if entry is not None:
                mine = replace(self, shared=False)
                yield from mine.found(path, *_at(x, entry, put), depth - 1)
            else:
                for name in _names(x):
                    yield from self.found(f"{path}.{name}", *_at(x, name, put), depth - 1)

    def _entry(self, x: Any) -> object:
        """The key of this parameter, in what has an entry for each of them; None elsewhere."""
        if not self.params:
            return None
        if isinstance(x, dict):
            p = self.params[self.i]
            for key in x:
                if key is p or (type(key) is int and key in (id(p), self.i)):
                    return key
        if len(x) != len(self.params) if isinstance(x, (dict, list)) else True:
            return None
        entries = list(x.items() if isinstance(x, dict) else enumerate(x))
        alike = all(_shape(e) == p.shape for (_, e), p in zip(entries, self.params, strict=True))
        counts = isinstance(x, list) and all(isinstance(e, int) for e in x)
        nests = isinstance(x, list) and all(_names(e) for e in x)
        return entries[self.i][0] if alike or counts or nests else None


def _shape(x: object) -> object:
    return getattr(x, "shape", None)


def _names(x: Any) -> list[Any]:
    """What a container is asked for, by _at."""
    if isinstance(x, dict):
        return [name for name in x if isinstance(name, str)]
    if isinstance(x, (list, tuple)):
        return list(getattr(x, "_fields", range(len(x))))
    plain = hasattr(x, "__dict__") and not callable(x) and not hasattr(x, "step")
    return list(vars(x)) if plain else []


def _at(x: Any, name: Any, put: Put) -> tuple[Any, Put]:
    """What stands there in a container, and what puts another there."""
    if hasattr(x, "_replace") and isinstance(name, str):
        return getattr(x, name), lambda new: put(x._replace(**{name: new}))
    if isinstance(x, tuple):
        return x[name], lambda new: put(type(x)((*x[:name], new, *x[name + 1 :])))
    if isinstance(x, (dict, list)):
        return x[name], partial(x.__setitem__, name)
    return vars(x)[name], partial(setattr, x, name)
