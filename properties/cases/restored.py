"""Records of cases, for json, and the cases read back from them.

A field that is at its default is not recorded: a default of a case's class never changes.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def recorded(case: Any) -> dict[str, Any]:
    """A case as dictionaries, tuples and numbers, without what is at its default."""
    usual_of = _defaults(cast(type, type(case)))
    found = ((name, getattr(case, name), usual) for name, usual in usual_of.items())
    return {name: _recorded(x) for name, x, usual in found if not _alike(x, usual)}


@cache
def _defaults(kind: type) -> dict[str, Any]:
    return {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(kind)
    }


def _alike(x: Any, usual: Any) -> bool:
    """Whether both are the same; zeros may differ in their sign."""
    return type(x) is type(usual) and not isinstance(x, float) and bool(x == usual)


def _recorded(x: Any) -> Any:
    if hasattr(x, "__dataclass_fields__"):
        return recorded(x)
    if isinstance(x, tuple):
        return tuple(map(_recorded, x))
    if isinstance(x, Mapping):
        return {name: _recorded(item) for name, item in x.items()}
    return x


def restored(kind: type[T], record: object) -> T:
    """The instance of a dataclass that a record stands for; lists become tuples."""
    made: T = _restored(kind, record)
    return made


def _restored(kind: Any, x: Any) -> Any:
    if is_dataclass(kind):
        if not isinstance(x, Mapping):
            raise ValueError(f"a record of {kind} must be a mapping, got {x!r}")
        hints = _hints(cast(type, kind))
        return kind(**{name: _restored(hints[name], item) for name, item in x.items()})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        kinds = [first] * len(x) if others == [...] else [first, *others]
        return tuple(_restored(k, item) for k, item in zip(kinds, x, strict=True))
    if kind in (int, float, str):
        return kind(x)
    if isinstance(x, Mapping):
        return {key: _restored(object, item) for key, item in x.items()}
    return tuple(_restored(object, item) for item in x) if isinstance(x, list) else x


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
