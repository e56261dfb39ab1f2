"""Lists of checks with reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from truestep.properties.run.expected import BadList, entry_of, read, unmatched
from truestep.properties.run.pool import certify_all

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


BACKEND = """
from truestep.fast.protocol import ScheduleCapability


class Backend:
    name = "constants"

    def capabilities(self):
        return [ScheduleCapability(rule="constant", format="float64", arithmetic="ieee_float64")]

    def schedule_values(self, capability, hyper, steps):
        return [hyper.lr for _ in steps]
"""


@pytest.mark.power
def test_what_is_skipped_is_not_run(tmp_path: Path) -> None:
    """In a run's processes: with the reason, and every check of the backend is known."""
    path = tmp_path / "b.py"
    path.write_text(BACKEND)

    def skipped(name: str, check: str) -> str:
        return f"slow on {name}" if check.endswith(("/values", "/left_as_found")) else ""

    [run] = certify_all(
        [f"{path}:Backend"], only="*/[lv]*", level="smoke", workers=1, skipped=skipped
    )
    found = {result.check: (result.verdict, result.message) for result in run.results}
    assert found["values"] == found["left_as_found"] == ("not_run", "slow on constants")
    assert {verdict for verdict, _ in found.values()} == {"not_run", "pass"}
    assert len(run.known) > len(run.results)
