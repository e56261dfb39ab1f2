"""What the command line is given to wrap."""

from __future__ import annotations

from pathlib import Path

import pytest

from truestep.fast import discovery
from truestep.fast.wrapped.specs import Spec, judged_as, parsed
from truestep.reports.cli import run_command


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("torch:a.b:Name", Spec("torch", "a.b:Name")),
        ("torch:a.b:Name@lion", Spec("torch", "a.b:Name", "lion")),
        ("torch:a/b.py:Name@lion", Spec("torch", "a/b.py:Name", "lion")),
        ("torch:a.b.Name", Spec("torch", "a.b:Name")),
        ("torch:a:Name(k=1)@lion", Spec("torch", "a:Name", "lion", "k=1")),
        ("ctypes:l.so:void f(float *p)", Spec("ctypes", "l.so:void f(float *p)")),
        ("torch", None),
        ("torch:Name", None),
        ("a.b:Name", None),
    ],
)
def test_specs(spec: str, found: Spec | None) -> None:
    """A kind, a target with a colon, and perhaps a rule; anything else names a backend."""
    assert parsed(spec) == found


def test_the_rule_of_the_command_line_comes_last() -> None:
    """It replaces the one of the spec; what names a backend takes none."""
    assert judged_as("torch:a:Name", "lion") == "torch:a:Name@lion"
    assert judged_as("torch:a:Name@adam", "lion") == "torch:a:Name@lion"
    assert judged_as("torch:a:Name(k=1)", "lion") == "torch:a:Name(k=1)@lion"
    with pytest.raises(ValueError, match="not of 'cpu'"):
        judged_as("cpu", "lion")


def test_the_command_line_refuses_a_rule_for_a_backend(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, before anything runs."""
    assert run_command(["certify", "cpu", "--as", "lion"]) == 2
    assert capsys.readouterr().err.startswith("truestep: --as lion is of what is wrapped")


def test_arguments() -> None:
    """Keywords with literal values; what else is given is shown."""
    assert Spec("torch", "a:N", given="k=1, on=True, b=(0.9, None)").options() == {
        "k": 1,
        "on": True,
        "b": (0.9, None),
    }
    for wrong in ("1", "k=f()", "k=", "**k"):
        with pytest.raises(ValueError, match="arguments must be as in"):
            Spec("torch", "a:N", given=wrong).options()


def test_the_file_of_a_spec() -> None:
    """Of a wrapped one too: its digest stands in the certificate."""
    assert discovery.file_of("torch:a/b.py:Name@lion") == Path("a/b.py")
    assert discovery.file_of("torch:a.b:Name") is None
