from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import files, journal
from truestep.reports.certificate import read


def test_written_text_is_complete_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """Folders are made; a second write replaces the first."""
    path = tmp_path / "a" / "b.json"
    files.write_atomically(path, "old")
    files.write_atomically(path, "new é\n")
    assert path.read_text(encoding="utf-8") == "new é\n"
    assert [p.name for p in path.parent.iterdir()] == ["b.json"]


def test_lone_surrogate_does_not_cost_the_report(tmp_path: Path) -> None:
    """Text that UTF-8 cannot hold is escaped."""
    files.write_atomically(tmp_path / "x", "a\udc80b")
    assert (tmp_path / "x").read_text() == "a\\udc80b"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failed_write_keeps_the_old_file_and_removes_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A full disk at any point leaves the previous certificate as it was."""
    path = tmp_path / "b.json"
    files.write_atomically(path, "old")

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(path, "new")
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("spec", "stem"),
    [
        ("cpu", "cpu"),
        ("my.pkg:Backend", "my.pkg-Backend"),
        ("../x/y.py:B", "y-B"),
        ("x/y.py", "y"),
        ("...", "backend"),
    ],
)
def test_file_name_of_a_backend_stays_in_the_folder(spec: str, stem: str) -> None:
    """No separators, no leading dots."""
    assert files.stem_of(spec) == stem


def test_journal_of_a_killed_run_is_never_overwritten(tmp_path: Path) -> None:
    """A second run gets a file of its own."""
    first = journal.Journal(tmp_path, "cpu", {})
    second = journal.Journal(tmp_path, "cpu", {})
    names = [first.path.name, second.path.name]
    first.close()
    second.discard()
    assert names == ["cpu.partial.jsonl", "cpu.2.partial.jsonl"]
    assert [p.name for p in tmp_path.iterdir()] == ["cpu.partial.jsonl"]


def test_torn_last_line_is_left_out(tmp_path: Path, make: Callable[..., Any], fakes: Any) -> None:
    """A run killed in the middle of a write keeps every whole line, and is no pass."""
    document = make(fakes.passing())
    header = {k: document[k] for k in ("schema", "created", "suite", "environment", "backend")}
    header |= {k: document[k] for k in ("only", "level", "seed")}
    written = journal.Journal(tmp_path, "cpu", header)
    for check in document["checks"]:
        written.append(check)
    written.close()
    whole = written.path.read_bytes()
    found = read(written.path)
    assert [c["id"] for c in found["checks"]] == [c["id"] for c in document["checks"]]
    assert found["verdict"] == "error" and found["complete"] is False
    written.path.write_bytes(whole[:-20])
    assert len(read(written.path)["checks"]) == len(document["checks"]) - 1


def test_journal_keeps_the_first_write_error_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a full disk nothing is appended behind a torn line; the run is not stopped."""
    written = journal.Journal(tmp_path, "cpu", {})
    before = written.path.read_bytes()

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        written.append({"id": "a"})
    written.append({"id": "b"})
    written.close()
    assert written.error is not None and written.error.errno == errno.ENOSPC
    assert written.path.read_bytes() == before
