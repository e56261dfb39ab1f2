"""What every rule declares: the records that travel, with the ranges that they are drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


class Hyper:
    """The base of every rule's hyperparameters: a frozen dataclass whose fields are read by name."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __init__(self, *args: object, **fields: object) -> None: ...

        def __getattr__(self, name: str) -> Any: ...


class State:
    """The base of what a rule carries between steps: a frozen dataclass that begins with t."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __init__(self, *args: object, **fields: object) -> None: ...

        def __getattr__(self, name: str) -> Any: ...
