"""Rules of one's own on the command line: loaded where they are named, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reference import own
from truestep.reports import certificate

Call = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("own_rules")

FORMAT = """
from truestep.reference.format_rows import Codebook, Row

ROW = Row("Three values", (-1.0, 0.0, 1.0), "absmax", Codebook)
"""


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    """A format of one's own, in the folder of the command line."""
    path = tmp_path / "three_values.py"
    path.write_text(FORMAT)
    return path


def test_it_is_shown_and_listed(truestep: Call, rule: Path) -> None:
    """Its text, choices and checks."""
    status, out, _ = truestep("show", "three_values", "--rules", rule)
    assert status == 0 and "Three values" in out and "ties=upper" in out
    status, out, _ = truestep("list", "quantizers", "--rules", rule.name)
    assert status == 0 and "three_values" in out


@pytest.mark.parametrize("words", [("show", "lion"), ("list",), ("certify", "cpu"), ("mutants",)])
def test_what_cannot_be_loaded_is_one_line(truestep: Call, words: tuple[str, ...]) -> None:
    """With status 2, before anything else is done."""
    status, out, err = truestep(*words, "--rules", "gone.py")
    assert status == 2 and out == "" and "gone.py: no such file" in err
    assert len(err.splitlines()) == 1


def test_what_a_package_breaks_is_a_warning_of_list(
    truestep: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is listed."""
    monkeypatch.setattr(own, "offered", lambda: {"gone": "of_no_package.gone"})
    status, out, err = truestep("list", "schedules")
    assert status == 0 and "cosine" in out
    assert "of_no_package.gone: no module named 'of_no_package'" in err


def test_a_certificate_names_it_and_loads_nothing(
    truestep: Call, runner: Any, fakes: Any, save: Callable[..., Path], rule: Path
) -> None:
    """reproduce asks for it by name; reading and reporting need it not."""
    own.load(str(rule))
    results = [fakes.result("three_values", kind="quantizer", check="random")]
    runner.results = results
    path = save(results=results, spec="mine.py")
    [recorded] = certificate.read(path)["rules"]
    assert recorded == own.OWN["three_values"].to_json() | {"spec": "three_values.py"}
    forget()
    status, _, err = truestep("reproduce", path, "--backend", "mine.py")
    assert status == 2 and "if you trust its code, say --rules three_values.py" in err
    assert not own.OWN and truestep("report", path)[0] == 0
    status, _, err = truestep("reproduce", path, "--backend", "mine.py", "--rules", rule)
    assert status == 0 and len(runner.replayed) == 1, err
    forget()
    rule.write_text(FORMAT + "\n")
    _, _, err = truestep("reproduce", path, "--backend", "mine.py", "--rules", rule)
    assert "three_values.py has changed since" in err


def forget() -> None:
    """As in a new process."""
    from truestep.reference.storages import STORAGES
    from truestep.reference.tables import RULES

    own.OWN.clear()
    STORAGES.pop("three_values")
    RULES["quantizer"].pop("three_values")  # type: ignore[attr-defined]
