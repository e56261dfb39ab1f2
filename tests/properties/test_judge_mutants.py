"""The runner of the judge's mutants: it kills, it tells survivors, and its table is no older."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.power

HERE = Path(__file__).parent


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, which stands beside the tests."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("judge_mutants")


def test_every_reason_is_of_a_mutant_that_there_is(runner: Any) -> None:
    """Of a line that has changed, the reason is to be given again."""
    for name in {name.partition(" ")[0] for name in runner.listed()}:
        made = {mutant.name for mutant in runner.mutants(name)}
        assert [
            one for one in runner.listed() if one.startswith(f"{name} ") and one not in made
        ] == []
    assert all(reason.startswith("equivalent: ") for reason in runner.listed().values())


def test_every_module_has_its_tests(runner: Any) -> None:
    """By files that are there."""
    for files in runner.TESTS.values():
        assert all((HERE / file).is_file() for file in files)


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "judge_mutants.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_mutants_are_killed_by_the_tests_that_execute_them() -> None:
    """Each in a process of its own: the next one starts from the judge as it is."""
    done = _run("cases/dice", "--only", "* Dice.between:*", "--every", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'killed':" in done.stdout and "survives" not in done.stdout


def test_a_survivor_is_told_by_name() -> None:
    """One that is listed, when all are asked for: it is run, named, and none of a failure."""
    name = "cases/dice Dice.between: low < 0 <= high: Lt to LtE"
    done = _run("cases/dice", "--only", name, "--all")
    assert f"survives: {name}" in done.stdout
    assert done.returncode == 0
