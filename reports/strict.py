"""JSON from others: within limits that keep memory and time bounded, with every key once."""

import re
from collections import Counter
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from sys import getsizeof, intern
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
Pairs: TypeAlias = list[tuple[str, Any]]

# The largest certificate of a peer, of 12,400 checks, has 21 MB and a weight of 1.2 million.
MOST_BYTES = 24 << 20
# Text outside ASCII takes up to four bytes a character in memory.
MOST_BYTES_BEYOND_ASCII = 4 << 20
# Of memory, at most: the text, and all that it stands for. What reads it has 68 MB of modules.
MOST_TAKEN = 112 << 20
# Bytes of a list and each of its items, a number, and what a string has beside its characters: wide
# ones keep themselves in UTF-8 too.
_LIST, _ITEM, _NUMBER, _TEXT, _WIDE = 88, 9, 32, 64, 96
# Members of one object or list in a row that are no containers.
MOST_MEMBERS = 10_000
# Different keys, each of which takes memory of its own; a certificate has 300.
MOST_KEYS = 5_000

# Smaller texts, at most 110 bytes for each of their characters, stay within all limits but one:
# that no key is repeated.
_SMALL = 1 << 20
# Possessive, and closed by the end of the text: one pass, whatever the text.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_PLAIN = re.compile(r"[^][{}]++")
_KEY = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*+:)?+', re.DOTALL)


def content(path: Path) -> str:
    """The text of a file within the limits. Raises ValueError and OSError."""
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ValueError(f"has more than {MOST_BYTES} bytes")
    if len(raw) > MOST_BYTES_BEYOND_ASCII and not raw.isascii():
        raise ValueError(f"has {len(raw)} bytes, outside ASCII at most {MOST_BYTES_BEYOND_ASCII}")
    return raw.decode("utf-8")


def parsed(text: str) -> Any:
    """The document. Raises ValueError."""
    return Reading(text).parsed(text)


class Reading:
    """Documents that together stay within the limits. left: bytes of memory for their objects."""

    def __init__(self, text: str) -> None:
        """text: of all documents. Raises ValueError where it stands for more than the limits."""
        self.left = MOST_TAKEN
        small = len(text) <= _SMALL
        if not small:
            bare, strings = _STRING.subn('"', text)
            self._take(_taken(text, bare, strings))
            _count(text, bare)
        hook = _object if small else self._weighed
        self._decoder = JSONDecoder(object_pairs_hook=hook, parse_constant=_no_constant)

    def parsed(self, text: str) -> Any:
        """One of the documents. Raises ValueError."""
        try:
            return self._decoder.decode(text)
        except RecursionError:
            raise ValueError("not JSON: nested too deeply") from None
        except JSONDecodeError as error:
            raise ValueError(f"not JSON: {error}") from None

    def _weighed(self, pairs: Pairs) -> Object:
        # Documents of one text would have keys of their own.
        found = _object([(intern(name), value) for name, value in pairs])
        self._take(getsizeof(found))
        return found

    def _take(self, taken: int) -> None:
        self.left -= taken
        if self.left < 0:
            raise ValueError(f"takes more than {MOST_TAKEN >> 20} MB of memory")


def _object(pairs: Pairs) -> Object:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        [(repeated, _)] = counted.most_common(1)
        raise ValueError(f"the key {repeated[:100]!r} is repeated")
    return found


def _taken(text: str, bare: str, strings: int) -> int:
    """Bytes of a text and of what it stands for, but for objects.

    bare: the text, a quote in the place of each of so many strings.
    """
    objects, lists, members = bare.count("{"), bare.count("["), bare.count(":")
    # Of n members all but n commas of objects, of which some are empty, stand in lists.
    items = bare.count(",") - members + objects + lists
    values = strings - members
    words = bare.count("true") + bare.count("false") + bare.count("null")
    numbers = max(0, members + items - objects - lists - values - words)
    wide = not text.isascii() or "\\u" in text
    # Characters of strings stand in the text and in a value.
    characters = getsizeof(text) * (2 * len(text) - len(bare)) // max(1, len(text))
    return (
        characters + _LIST * lists + _ITEM * items + _NUMBER * numbers
        + (_WIDE if wide else _TEXT) * values
    )  # fmt: skip


def _count(text: str, bare: str) -> None:
    members = max((found[0].count(",") for found in _PLAIN.finditer(bare)), default=0)
    if members > MOST_MEMBERS:
        raise ValueError(f"holds {members} values in a row, at most {MOST_MEMBERS}")
    keys: set[str] = set()
    for found in _KEY.finditer(text):
        if found[2]:
            keys.add(found[1])
        if len(keys) > MOST_KEYS:
            raise ValueError(f"holds more than {MOST_KEYS} different keys")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
