from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports.certificate import read

Call = Callable[..., tuple[int, str, str]]


def names() -> list[str]:
    """The certificates in the folder."""
    return sorted(path.name for path in Path("o").glob("*.json"))


@pytest.fixture
def certify(truestep: Call, runner: Any) -> Call:
    """Runs certify into o."""
    return lambda *arguments: truestep("certify", *arguments, "--out", "o")


def test_a_run_replaces_its_own_earlier_certificate_in_silence(certify: Call) -> None:
    """The commonest thing to do, twice in a row."""
    certify("cpu")
    made = read(Path("o/cpu.json"))["created"]
    Path("o/cpu.html").write_text("<p>before this run")
    status, _, err = certify("cpu")
    assert status == 1 and names() == ["cpu.json"] and "kept" not in err
    assert read(Path("o/cpu.json"))["created"] >= made
    assert "before this run" not in Path("o/cpu.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "name", "why"),
    [
        (["cpu", "--level", "deep"], "cpu-deep.json", "its level is 'standard'"),
        (["cpu", "--seed", "7"], "cpu-seed7.json", "its seed is 0"),
        (["cpu", "--only", "adamw"], "cpu-[0-9a-f]*.json", "it is of --only None"),
        (["a/cpu.py"], "cpu-[0-9a-f]*.json", "it is of 'cpu'"),
    ],
)
def test_another_run_takes_a_name_that_carries_what_differs(
    certify: Call, arguments: list[str], name: str, why: str
) -> None:
    """In one line; the same again replaces that one; --force overwrites the first."""
    certify("cpu")
    before = Path("o/cpu.json").read_bytes()
    _, _, err = certify(*arguments)
    [line] = [line for line in err.splitlines() if "kept" in line]
    assert line.startswith(f"truestep: o/cpu.json is kept: {why}; this run is in cpu-")
    certify(*arguments)
    assert Path("o/cpu.json").read_bytes() == before and len(names()) == 2
    [other] = [path for path in Path("o").glob(name) if path.name != "cpu.json"]
    assert read(other)["level"] and other.with_suffix(".html").exists()
    certify(*arguments, "--force")
    assert Path("o/cpu.json").read_bytes() != before and len(names()) == 2


def test_what_is_no_certificate_is_not_overwritten(certify: Call) -> None:
    """Nor what an unfinished or changed certificate holds."""
    Path("o").mkdir()
    Path("o/cpu.json").write_text("notes")
    _, _, err = certify("cpu")
    assert "it is no certificate that this version reads" in err
    assert Path("o/cpu.json").read_text() == "notes" and len(names()) == 2


def test_two_differences_give_a_name_of_its_own(certify: Call) -> None:
    """Where the name that carries the first difference is taken by a third run."""
    certify("cpu")
    certify("cpu", "--level", "deep")
    certify("cpu", "--level", "deep", "--seed", "3")
    assert len(names()) == 3 and {read(Path("o") / n)["seed"] for n in names()} == {0, 3}


def test_a_backend_called_report_does_not_take_the_place_of_the_page_of_several(
    certify: Call,
) -> None:
    """report.html shows all of them."""
    certify("report.py", "cpu")
    assert names() == ["cpu.json", "report-2.json"]
