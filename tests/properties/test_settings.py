"""Options of the pytest plugin, from the command line, the environment and an ini file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from truestep.properties.settings import OPTIONS, settings_of


class Given:
    """What pytest's configuration tells of options."""

    def __init__(self, ini: dict[str, Any] | None = None, **line: Any) -> None:
        self.line = {f"--truestep-{name.replace('_', '-')}": x for name, x in line.items()}
        self.ini, self.inipath = ini or {}, Path("/project/pytest.ini")

    def getoption(self, name: str) -> Any:
        return self.line.get(name)

    def getini(self, name: str) -> Any:
        several = name == "truestep_backend"
        return self.ini.get(name, [] if several else "")


def asked(given: Given) -> Any:
    """The settings of a stand-in."""
    return settings_of(given)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OPTIONS:
        monkeypatch.delenv(f"TRUESTEP_{name.replace('-', '_').upper()}", raising=False)


def test_defaults() -> None:
    """Our own kernels, at standard, without limits."""
    found = asked(Given())
    assert (found.backends, found.level, found.seed) == (("cpu",), "standard", 0)
    assert found.only is found.cases is found.seconds is found.xfails is found.skips is None


def test_the_command_line_comes_first_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the three, and what is left of the next."""
    ini = {"truestep_level": "deep", "truestep_seed": "7", "truestep_backend": ["a", "b.py:B"]}
    assert asked(Given(ini)).backends == ("a", "b.py:B")
    monkeypatch.setenv("TRUESTEP_LEVEL", "smoke")
    monkeypatch.setenv("TRUESTEP_BACKEND", "'with space.py:B' torch")
    found = asked(Given(ini))
    assert (found.level, found.seed) == ("smoke", 7)
    assert found.backends == ("with space.py:B", "torch")
    found = asked(Given(ini, level="standard", backend=["cpu", "cpu"], timeout="1.5"))
    assert (found.level, found.backends, found.seconds) == ("standard", ("cpu",), 1.5)


def test_lists_of_an_ini_file_lie_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are seen from where pytest is started."""
    found = asked(Given({"truestep_xfails": "known.txt"}, skips="slow.txt"))
    assert (found.xfails, found.skips) == (Path("/project/known.txt"), Path("slow.txt"))


def test_the_plugin_loads_nothing_heavy() -> None:
    """Every run of pytest loads it where TrueStep is installed."""
    heavy = {"hypothesis", "jax", "numpy", "rich", "scipy", "torch"}
    code = (
        "import sys, truestep.properties.plugin;"
        f"sys.exit(' '.join({heavy!r} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "level": ({"level": "huge"}, "--truestep-level: must be one of smoke, standard, deep"),
    "seed": ({"seed": "x"}, "--truestep-seed: must be of the form N, got 'x'"),
    "negative": ({"seed": "-1"}, "--truestep-seed: must be at least 0, got '-1'"),
    "none": ({"max_examples": "0"}, "--truestep-max-examples: must be at least 1, got '0'"),
    "time": ({"timeout": "nan"}, "must be a number of seconds above 0, got 'nan'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_told_with_its_place(case: str) -> None:
    """As a usage error of pytest's."""
    line, message = WRONG[case]
    with pytest.raises(pytest.UsageError) as raised:
        asked(Given(**line))
    assert message in str(raised.value)


def test_the_place_of_a_wrong_value_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable, and the ini file."""
    with pytest.raises(pytest.UsageError, match=r"truestep_level of /project/pytest\.ini: must be"):
        asked(Given({"truestep_level": "huge"}))
    monkeypatch.setenv("TRUESTEP_TIMEOUT", "soon")
    with pytest.raises(pytest.UsageError, match="TRUESTEP_TIMEOUT: must be of the form SECONDS"):
        asked(Given())
    monkeypatch.setenv("TRUESTEP_BACKEND", "'open")
    with pytest.raises(pytest.UsageError, match="TRUESTEP_BACKEND: No closing quotation"):
        asked(Given(timeout="1"))
