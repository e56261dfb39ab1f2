"""JSON from others: within limits that keep memory and time bounded, with every key once."""

import re
from collections import Counter
from json import JSONDecoder
from pathlib import Path
from typing import Any

# The largest certificate of a peer, of 12,400 checks, has 21 MB and a weight of 1.2 million.
MOST_BYTES = 24 << 20
# Text outside ASCII takes up to four bytes a character in memory.
MOST_BYTES_BEYOND_ASCII = 4 << 20
# Values of a document, objects and lists twice: at most eighty bytes each in memory.
MOST_WEIGHT = 1_400_000
# Members of one object or list in a row that are no containers.
MOST_MEMBERS = 10_000
# Different keys, each of which takes memory of its own; a certificate has 300.
MOST_KEYS = 5_000

# Smaller documents cannot weigh too much.
_SMALL = 2 << 20
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
    if len(text) > _SMALL:
        _weigh(text)
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("not JSON: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None


def _weigh(text: str) -> None:
    bare = _STRING.sub("", text)
    weight = 2 * bare.count("{") + 2 * bare.count("[") + bare.count(",")
    if weight > MOST_WEIGHT:
        raise ValueError(f"holds {weight} values, at most {MOST_WEIGHT}")
    members = max((found[0].count(",") for found in _PLAIN.finditer(bare)), default=0)
    if members > MOST_MEMBERS:
        raise ValueError(f"holds {members} values in a row, at most {MOST_MEMBERS}")
    keys: set[str] = set()
    for found in _KEY.finditer(text):
        if found[2]:
            keys.add(found[1])
        if len(keys) > MOST_KEYS:
            raise ValueError(f"holds more than {MOST_KEYS} different keys")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        [(repeated, _)] = counted.most_common(1)
        raise ValueError(f"the key {repeated[:100]!r} is repeated")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
