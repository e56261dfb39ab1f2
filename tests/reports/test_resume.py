from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import certificate, journal
from truestep.reports.certificate import read
from truestep.reports.merge import substance

Call = Callable[..., tuple[int, str, str]]
MISBEHAVING = Path(__file__).parents[1] / "properties" / "run" / "misbehaving.py"


def unlike(path: Path) -> dict[str, Any]:
    """A certificate without its times, and what depends on them."""
    return substance(read(path))


def cut(lines: int, *, spec: str = "cpu", out: str = "o", **header: Any) -> Path:
    """The journal of a run that was killed after so many checks of a finished certificate."""
    document = read(Path(out) / "whole.json")
    made = certificate.header_of(spec, document["only"], document["level"], document["seed"])
    written = journal.Journal(Path(out), "cpu", {**made, **header})
    for check in document["checks"][:lines]:
        written.append(check)
    written.close()
    return written.path


@pytest.fixture
def whole(truestep: Call, runner: Any) -> dict[str, Any]:
    """What an uninterrupted run finds, in o/whole.json."""
    truestep("certify", "cpu", "--out", "o")
    Path("o/cpu.json").rename("o/whole.json")
    return unlike(Path("o/whole.json"))


@pytest.mark.parametrize("lines", [0, 2, 6])
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    truestep: Call, whole: dict[str, Any], lines: int, place: str
) -> None:
    """Wherever it was cut; what is at hand is not run again, and the old journal is removed."""
    path = cut(lines)
    status, _, err = truestep(
        "certify", "cpu", "--out", "o", "--resume", path if place == "file" else "o"
    )
    assert status == 1 and f"cpu: {6 - lines} check" in err
    assert unlike(Path("o/cpu.json")) == whole
    assert not list(Path("o").glob("*.jsonl"))


def test_a_real_run_goes_on_where_it_was_cut(truestep: Call) -> None:
    """A crash that is at hand is not run again; the certificates agree but for times."""
    spec = f"{MISBEHAVING}:Backend"
    chosen = ("--only", "optimizer/sgd/float32/[ps]*/counter*", "--level", "smoke", "-n", "1")
    status, _, _ = truestep("certify", spec, *chosen, "--out", "o")
    assert status == 1
    written = Path("o/misbehaving-Backend.json")
    due = unlike(written)
    written.rename("o/whole.json")
    path = cut(5, spec=spec)
    status, _, err = truestep("certify", spec, *chosen, "--out", "o", "--resume", path)
    assert status == 1 and f"{len(due['checks']) - 5} check" in err and unlike(written) == due


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["torch"], "backend is 'cpu' there and 'torch' here"),
        (["cpu", "--only", "adamw"], "only is None there and 'adamw' here"),
        (["cpu", "--level", "smoke"], "level is 'standard' there and 'smoke' here"),
        (["cpu", "--seed", "3"], "seed is 0 there and 3 here"),
    ],
)
def test_another_run_is_not_continued(
    truestep: Call, whole: dict[str, Any], arguments: list[str], told: str
) -> None:
    """The refusal names the difference, and the journal stays."""
    path = cut(2)
    status, _, err = truestep("certify", *arguments, "--out", "o", "--resume", path)
    assert status == 2 and told in err and path.exists()


def test_a_changed_adapter_does_not_continue_a_run(
    truestep: Call, whole: dict[str, Any], tmp_path: Path
) -> None:
    """Its results would be those of two kernels."""
    adapter = tmp_path / "adapter.py"
    adapter.write_text("one", encoding="utf-8")
    cut(2, spec=f"{adapter}:Backend")
    adapter.write_text("another", encoding="utf-8")
    status, _, err = truestep("certify", f"{adapter}:Backend", "--out", "o", "--resume", "o")
    assert status == 2 and "the SHA-256 of the backend's file is '" in err


def test_another_suite_or_library_does_not_continue_a_run(
    truestep: Call, whole: dict[str, Any]
) -> None:
    """Versions decide verdicts; the number of processors does not."""
    where = read(Path("o/whole.json"))["environment"]
    for header, told in (
        ({"suite": {"version": "0", "commit": None}}, "suite is"),
        ({"environment": {**where, "libraries": {**where["libraries"], "numpy": "1"}}}, "numpy is"),
    ):
        path = cut(2, **header)
        status, _, err = truestep("certify", "cpu", "--out", "o", "--resume", path)
        assert status == 2 and told in err
    path = cut(2, environment={**where, "threads": 999})
    assert truestep("certify", "cpu", "--out", "o", "--resume", path)[0] == 1


def test_a_damaged_journal_counts_up_to_the_damage(truestep: Call, whole: dict[str, Any]) -> None:
    """With a line that says so; the rest is run again."""
    path = cut(5)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "garbage\n", *lines[4:]]))
    status, _, err = truestep("certify", "cpu", "--out", "o", "--resume", path)
    assert status == 1 and "line 4: not JSON" in err and "2 results before it are kept" in err
    assert "cpu: 4 checks" in err and unlike(Path("o/cpu.json")) == whole


def test_an_unfinished_certificate_is_continued_and_a_complete_one_is_not(
    truestep: Call, whole: dict[str, Any]
) -> None:
    """The certificate that a journal was read as serves as well as the journal."""
    path = cut(2)
    Path("o/half.json").write_text(json.dumps(read(path)))
    path.unlink()
    status, _, err = truestep("certify", "cpu", "--out", "o", "--resume", "o/whole.json")
    assert status == 2 and "was complete" in err
    assert truestep("certify", "cpu", "--out", "o", "--resume", "o/half.json")[0] == 1
    assert unlike(Path("o/cpu.json")) == whole and Path("o/half.json").exists()


def test_an_empty_folder_and_an_absent_file_are_refused(truestep: Call, runner: Any) -> None:
    """In one line each."""
    Path("e").mkdir()
    status, _, err = truestep("certify", "cpu", "--resume", "e")
    assert status == 2 and "no journal (*.partial.jsonl) in it" in err
    status, _, err = truestep("certify", "cpu", "--resume", "absent")
    assert status == 2 and "absent: No such file" in err


def test_a_resumed_run_that_is_stopped_again_can_be_resumed(
    truestep: Call, runner: Any, whole: dict[str, Any]
) -> None:
    """Its journal holds what it was resumed from."""
    path = cut(2)

    def interrupt() -> None:
        raise KeyboardInterrupt

    before, runner.before_end = runner.before_end, interrupt
    status, _, err = truestep("certify", "cpu", "--out", "o", "--resume", path)
    runner.before_end = before
    assert status == 130 and "--resume o/cpu.2.partial.jsonl" in err
    assert len(read(Path("o/cpu.2.partial.jsonl"))["checks"]) == 6
    assert truestep("certify", "cpu", "--out", "o", "--resume", "o")[0] == 1
    assert unlike(Path("o/cpu.json")) == whole and not list(Path("o").glob("*.jsonl"))
