"""The arrays in what a backend takes and gives, and what they are called."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

import numpy as np

from truestep.fast.protocol import Array, Group, Slot, Stepped

# Where an array stands: names of fields and keys, and places in lists.
Path = tuple[str | int, ...]

# What holds arrays, by its fields; a Hyper has none.
_FIELDS: Mapping[type, tuple[str, ...]] = {
    Group: ("slots", "storage"),
    Slot: tuple(f.name for f in fields(Slot)),
    Stepped: tuple(f.name for f in fields(Stepped)),
}
# Names that say where an array is kept, not what it is.
_CONTAINERS = ("slots", "state", "inputs")


def arrays_in(value: object, path: Path = ()) -> Iterator[tuple[Path, Array]]:
    """Every array in a value, with its path."""
    if isinstance(value, np.ndarray):
        yield path, value
    elif names := _FIELDS.get(type(value)):
        for name in names:
            yield from arrays_in(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from arrays_in(item, (*path, str(name)))
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for i, item in enumerate(value):
            yield from arrays_in(item, (*path, i))


def in_words(path: Path) -> str:
    """What an argument's array is called: its name, and of slots which one."""
    names = [part for part in path if isinstance(part, str) and part not in _CONTAINERS]
    places = [part for part in path if isinstance(part, int)]
    name = names[0] if names else "array"
    return f"{name} (group {places[1]}, slot {places[2]})" if "slots" in path else name
