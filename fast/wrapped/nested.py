"""State that an optimizer keeps in lists, dictionaries and objects of its own, by paths.

A path is names and positions with "/" between them: "GG/0", "momentum_buffer/2" of a dictionary
whose keys are numbers, "projector/matrix" of an object's attribute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

# How deep is looked.
_DEEPEST = 3


def entries(kept: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Everything that is kept, by its path."""
    for name, x in kept.items():
        yield from _walked(str(name), x, _DEEPEST)


def _walked(path: str, x: object, depth: int) -> Iterator[tuple[str, object]]:
    inner = _inner(x) if depth else None
    if inner is None:
        yield path, x
        return
    for name, each in inner.items():
        yield from _walked(f"{path}/{name}", each, depth - 1)


def _inner(x: object) -> dict[str, object] | None:
    """What stands in a container; None where it is none."""
    if isinstance(x, torch.Tensor) or x is None or isinstance(x, (int, float, str)):
        return None
    if isinstance(x, dict):
        return {_key(key, i): each for i, (key, each) in enumerate(x.items())}
    if isinstance(x, (list, tuple)):
        return {str(i): each for i, each in enumerate(x)}
    return dict(vars(x)) if hasattr(x, "__dict__") and not callable(x) else None


def _key(key: object, position: int) -> str:
    return key if isinstance(key, str) else str(position)


def is_path(name: str) -> bool:
    """Whether something is kept in a container."""
    return "/" in name


def get(state: Mapping[str, Any], path: str) -> Any:
    """What stands at a path; raises KeyError where there is nothing."""
    x: object = state
    for name in path.split("/"):
        inner = _inner(x)
        if inner is None or name not in inner:
            raise KeyError(path)
        x = inner[name]
    return x


def put(state: dict[str, Any], path: str, tensor: object) -> None:
    """Replace what stands at a path, in the format that it has."""
    home, _, last = path.rpartition("/")
    if not home:
        state[last] = tensor
        return
    old, container = get(state, path), get(state, home)
    if isinstance(old, torch.Tensor) and isinstance(tensor, torch.Tensor):
        tensor = tensor.to(old.dtype)
    if isinstance(container, dict):
        container[next(k for i, k in enumerate(container) if _key(k, i) == last)] = tensor
    elif isinstance(container, list):
        container[int(last)] = tensor
    elif isinstance(container, tuple):
        put(state, home, _replaced(container, int(last), tensor))
    else:
        setattr(container, last, tensor)


def _replaced(old: tuple[object, ...], position: int, tensor: object) -> tuple[object, ...]:
    return (*old[:position], tensor, *old[position + 1 :])
