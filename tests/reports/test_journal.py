from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import certificate, journal
from truestep.reports.certificate import BadCertificate, read


@pytest.fixture
def lines(tmp_path: Path, fakes: Any) -> list[str]:
    """The lines of a journal with a header and six checks."""
    written = journal.Journal(tmp_path, "cpu", certificate.header_of("cpu", None, "smoke", 0))
    for result in fakes.small():
        written.append(certificate.plain(result.to_json()))
    written.close()
    found = written.path.read_text().splitlines(keepends=True)
    written.path.unlink()
    return found


@pytest.fixture
def reads(tmp_path: Path) -> Callable[[list[str]], dict[str, Any]]:
    """Reads lines as a journal."""

    def call(lines: list[str]) -> dict[str, Any]:
        path = tmp_path / "cpu.partial.jsonl"
        path.write_text("".join(lines))
        return read(path)

    return call


DAMAGE: dict[str, Callable[[list[str]], object]] = {
    "changed": lambda lines: lines.__setitem__(3, lines[3].replace("lion", "loin")),
    "lost": lambda lines: lines.pop(3),
    "moved": lambda lines: lines.insert(4, lines.pop(3)),
    "repeated": lambda lines: lines.insert(3, lines[2]),
    "torn": lambda lines: lines.__setitem__(3, lines[3][:40] + "\n"),
    "unsealed": lambda lines: lines.__setitem__(3, '{"check": {}}\n'),
    "no object": lambda lines: lines.__setitem__(3, "[]\n"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_line_is_refused_with_its_number_and_what_precedes_it_is_had(
    lines: list[str], reads: Callable[[list[str]], Any], name: str
) -> None:
    """The lines before it are a journal by themselves."""
    DAMAGE[name](lines)
    with pytest.raises(BadCertificate, match=r"line 4: .*head -n 3 gives them") as caught:
        reads(lines)
    assert "\n" not in str(caught.value)
    assert len(reads(lines[:3])["checks"]) == 2
    assert len(journal.intact("".join(lines))[0]) == 3


def test_every_cut_of_a_journal_is_read(
    lines: list[str], reads: Callable[[list[str]], Any]
) -> None:
    """Whole lines count, a torn one does not; the header must be whole."""
    text = "".join(lines)
    for end in range(len(lines[0]), len(text), 97):
        whole = text[:end].count("\n") - 1
        document = reads([text[:end]])
        assert (len(document["checks"]), document["complete"]) == (whole, False)
    with pytest.raises(BadCertificate, match="not a journal of this version"):
        reads([lines[0][:-5]])


def test_a_journal_of_another_version_is_refused(reads: Callable[[list[str]], Any]) -> None:
    """Though its lines are sealed."""
    record = {"journal": "truestep-journal/1", "header": {}}
    sealed = {**record, "seal": journal._sealed("", record)}
    with pytest.raises(BadCertificate, match=r"not a journal of this version"):
        reads([json.dumps(sealed) + "\n"])


def test_lines_that_are_sealed_and_lack_a_member_are_refused(tmp_path: Path) -> None:
    """By the name of what is missing."""
    written = journal.Journal(tmp_path, "cpu", certificate.header_of("cpu", None, "smoke", 0))
    written.append({})
    written.close()
    with pytest.raises(BadCertificate, match="a record lacks or garbles 'id'"):
        read(written.path)
