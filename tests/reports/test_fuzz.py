"""Mutated certificates and journals: none is believed for what it was not, none breaks the reader.

``python tests/reports/test_fuzz.py 10000`` tries as many of each sort.
"""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import certificate, journal
from truestep.reports.certificate import BadCertificate, read
from truestep.reports.html import html
from truestep.reports.markdown import markdown
from truestep.reports.page import build

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2.5, 1e308, -1e-320, 10**30, 10**400, "", "nan", "inf", "-inf",
    "pass", "fail", "0x1p+3", "\x1b[2J", "\u202e", "\ud800", "x" * 10_000, [], {}, [[]], [{}],
    {"a": {}}, ["pass"], {"shape": [10**9, 10**9]}, {"x": [1], "y": ["nan"]},
)  # fmt: skip


def flip(draw: random.Random, text: bytes) -> bytes:
    """A byte becomes another."""
    at = draw.randrange(len(text))
    return text[:at] + bytes([draw.randrange(256)]) + text[at + 1 :]


def truncate(draw: random.Random, text: bytes) -> bytes:
    """The end is lost."""
    return text[: draw.randrange(len(text))]


def repeat(draw: random.Random, text: bytes) -> bytes:
    """A piece stands twice."""
    start, end = sorted(draw.sample(range(len(text)), 2))
    return text[:end] + text[start:]


def omit(draw: random.Random, text: bytes) -> bytes:
    """A piece is lost."""
    start, end = sorted(draw.sample(range(len(text)), 2))
    return text[:start] + text[end:]


def shuffle(draw: random.Random, text: bytes) -> bytes:
    """Two lines change places."""
    lines = text.splitlines(keepends=True)
    one, two = (draw.randrange(len(lines)) for _ in range(2))
    lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def nest(draw: random.Random, text: bytes) -> bytes:
    """A number becomes a deep nest or a long number."""
    digits = [at for at, byte in enumerate(text) if byte in b"0123456789"]
    at, many = draw.choice(digits), draw.choice((30, 3_000, 100_000))
    deep = draw.choice((b"[" * many + b"]" * many, b'{"a":' * many + b"1" + b"}" * many))
    return text[:at] + draw.choice((deep, b"9" * many, b"1e" + b"9" * many)) + text[at + 1 :]


MUTATIONS = (flip, truncate, repeat, omit, shuffle, nest)


def edited(draw: random.Random, document: Any) -> Any:
    """The document with members of its containers changed, lost, added or exchanged."""
    document = json.loads(json.dumps(document))
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        places = list(_places(document))
        at, key = draw.choice(places)
        other, foreign = draw.choice(places)
        choice = draw.randrange(4)
        if choice == 0:
            at.pop(key)
        elif choice == 1:
            at[key] = json.loads(json.dumps(other[foreign]))
        elif choice == 2 and isinstance(at, list):
            at.insert(key, draw.choice(STRANGE))
        else:
            at[key] = draw.choice(STRANGE)
    return document


def _places(node: Any) -> Any:
    """(container, key) of every member."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], (dict, list)):
            yield from _places(node[key])


def outcome(path: Path, content: bytes) -> Any:
    """What is read of a content, or None where it is refused, in one line."""
    path.write_bytes(content)
    try:
        return read(path)
    except BadCertificate as error:
        told = str(error)
        assert "\n" not in told and told.isprintable() and len(told) < 2_000, told
        return None


def try_bytes(draw: random.Random, path: Path, whole: bytes, *, prefix: bool) -> bool:
    """Read a mutation; whether it was accepted, which the same content alone may be.

    prefix: whether the beginning of a list of checks is the same content, as in a journal.
    """
    due = outcome(path, whole)
    mutation = draw.choice(MUTATIONS)
    found = outcome(path, mutation(draw, whole))
    if found is None:
        return False
    if prefix:
        ids = {check["id"]: check for check in due["checks"]}
        assert all(ids[check["id"]] == check for check in found["checks"]), mutation
        due = {name: due[name] for name in ("backend", "level", "seed", "only", "complete")}
        found = {name: found[name] for name in due}
    assert found == due, mutation
    return True


def try_edit(draw: random.Random, path: Path, document: Any) -> bool:
    """Read an edited document with a right SHA-256; what is accepted agrees and can be shown."""
    forged = edited(draw, document)
    try:
        forged["sha256"] = certificate.checksum(forged)
        content = json.dumps(forged).encode("ascii")
    except (TypeError, ValueError):
        return False
    found = outcome(path, content)
    if found is None:
        return False
    again = certificate.build(
        header=found, checks=found["checks"], complete=found["complete"], seconds=found["seconds"]
    )
    assert (again["verdict"], again["summary"]) == (found["verdict"], found["summary"])
    page = build([found])
    assert html(page) and markdown(page)
    return True


def fuzz(seed: int, count: int, folder: Path, results: Any, document: Any) -> dict[str, int]:
    """Try as many of each sort; how many of each were accepted."""
    written = journal.Journal(folder, "fuzz", certificate.header_of("cpu", None, "smoke", 0))
    for result in results:
        written.append(certificate.plain(result.to_json()))
    written.close()
    lines, whole = written.path.read_bytes(), certificate.dumps(document).encode()
    draw, path = random.Random(seed), folder / "x.json"
    tries: dict[str, Callable[[], bool]] = {
        "certificate": lambda: try_bytes(draw, path, whole, prefix=False),
        "journal": lambda: try_bytes(draw, path, lines, prefix=True),
        "signed anew": lambda: try_edit(draw, path, document),
    }
    return {name: sum(attempt() for _ in range(count)) for name, attempt in tries.items()}


@pytest.mark.parametrize("seed", range(3))
def test_mutations_are_refused_or_change_nothing(
    tmp_path: Path, make: Callable[..., Any], fakes: Any, seed: int
) -> None:
    """Refused in one line; of what is accepted, every verdict agrees and every page is made."""
    results = [*fakes.small(), fakes.theorem(random.Random(0))]
    accepted = fuzz(seed, 60, tmp_path, results, make(results))
    # Journals are cut at whole lines now and then, and texts of no consequence are edited.
    assert accepted["journal"] and accepted["signed anew"]


def main(count: int) -> None:
    """Try many and print how many of each sort were accepted, the time and the memory."""
    import resource

    location = importlib.util.spec_from_file_location(
        "fakes", Path(__file__).with_name("fake_runner.py")
    )
    assert location is not None and location.loader is not None
    fakes = sys.modules["fakes"] = importlib.util.module_from_spec(location)
    location.loader.exec_module(fakes)
    results = [*fakes.small(), fakes.theorem(random.Random(0))]
    header = certificate.header_of("cpu", None, "smoke", 0)
    checks = [result.to_json() for result in results]
    document = certificate.build(header=header, checks=checks, complete=True, seconds=1.0)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        print(fuzz(1, count, Path(folder), results, document))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - begin:.0f} s, at most {peak:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]))
