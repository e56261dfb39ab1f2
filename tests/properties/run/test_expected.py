"""Lists of checks with reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from truestep.properties.run.expected import BadList, entry_of, read, unmatched

TEXT = """
# known since May
optimizer/adamw/*/strata   # rounds twice # and slowly

mine/*/values# off by one
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of two entries."""
    found = tmp_path / "known.txt"
    found.write_text(TEXT)
    return found


def test_entries(path: Path) -> None:
    """Globs, reasons and places; comments and empty lines say nothing."""
    entries = read(path)
    assert [e.glob for e in entries] == ["optimizer/adamw/*/strata", "mine/*/values"]
    assert entries[0].told() == f"rounds twice # and slowly ({path}, line 3)"


def test_what_an_entry_is_of(path: Path) -> None:
    """Ids of checks, of any backend or of the one that is named."""
    entries = read(path)
    both = entry_of(entries, "cpu", "optimizer/adamw/float32/strata")
    assert both is entries[0]
    own = entry_of(entries, "mine", "schedule/cosine/float64/values")
    assert own is entries[1]
    assert entry_of(entries, "cpu", "schedule/cosine/float64/values") is None
    assert unmatched(entries, [("mine", "schedule/cosine/float64/values")]) == entries[:1]


def test_an_entry_without_reason_is_refused(tmp_path: Path) -> None:
    """With its place, and what to write."""
    path = tmp_path / "known.txt"
    path.write_text("a/b  # reason\nc/d\n")
    with pytest.raises(BadList, match=r"known.txt, line 2: 'c/d' has no reason; write: c/d  # "):
        read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadList, match="not UTF-8 at byte 0"):
        read(path)
