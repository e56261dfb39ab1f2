from __future__ import annotations

import ast
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import truestep
from truestep.fast.discovery import BrokenBackend, UnknownBackend
from truestep.fast.protocol import BackendUnavailable
from truestep.reports.certificate import first_violation, read

SOURCE = Path(truestep.__file__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Neither NumPy nor what it is used with, until a name is asked for."""
    heavy = {"hypothesis", "jax", "keras", "numpy", "pytest", "rich", "scipy", "torch"}
    code = (
        "import sys, truestep; dir(truestep); truestep.__version__;"
        f"sys.exit(' '.join({heavy!r} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_listed() -> None:
    """__all__ is what can be had, what dir() shows, and what type checkers are told."""
    assert all(getattr(truestep, name) is not None for name in truestep.__all__)
    assert set(truestep.__all__) <= set(dir(truestep))
    (told,) = (
        node
        for node in ast.parse(SOURCE.read_text()).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    )
    imported = {alias.name for node in told.body for alias in node.names}  # type: ignore[attr-defined]
    assert imported | {"__version__"} == set(truestep.__all__)
    assert SOURCE.resolve().with_name("py.typed").exists()


def test_help_is_a_table_of_contents() -> None:
    """It begins with a line for every name, and what it says of modules is there."""
    told = truestep.__doc__ or ""
    assert all(re.search(rf"\b{name}\b", told) for name in truestep.__all__)
    (judging,) = re.findall(r"^    testing +(.*)$", told, re.MULTILINE)
    assert set(judging.split(", ")) <= set(truestep.testing.__all__)
    assert pydoc.render_doc(truestep).index("Judge a kernel") < 1000


def test_names_come_from_their_home() -> None:
    """The same objects as in the modules that define them; another name is an AttributeError."""
    from truestep.fast.protocol import CLASSES, Capability
    from truestep.reference.optimizers import OPTIMIZERS

    assert truestep.Capability is Capability and truestep.OPTIMIZERS is OPTIMIZERS
    assert {made.__name__ for made in CLASSES.values()} <= set(truestep.__all__)
    with pytest.raises(AttributeError, match="no attribute 'certified'"):
        _ = truestep.certified  # type: ignore[attr-defined]


class Constant:
    """The schedule that does not move, scaled."""

    name = "constant"

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def capabilities(self) -> list[truestep.Capability]:
        return [
            truestep.ScheduleCapability(
                rule="constant", format="float64", arithmetic="ieee_float64"
            )
        ]

    def schedule_values(
        self, capability: truestep.Capability, hyper: Any, steps: list[int]
    ) -> list[float]:
        return [self.factor * hyper.lr for _ in steps]


@pytest.mark.parametrize("backend", [Constant, Constant(1.0)])
def test_an_object_or_class_is_judged_where_it_is(backend: Any) -> None:
    """Its certificate says by what it was made; it passes, and can be written."""
    judged = truestep.certify(backend, level="smoke", only="*/values")
    assert judged.passed and [result.check for result in judged.results] == ["values"]
    assert repr(judged) == "constant computes constant to the accuracy its arithmetic allows."
    assert judged.certificate["backend"]["spec"].endswith("test_public_face:Constant")
    assert first_violation(judged.certificate) is None


def test_a_failing_object_says_what_fails(tmp_path: Path) -> None:
    """The representation names the failing checks; the report is one of the command line's."""
    judged = truestep.certify(Constant(1.5), level="smoke", only="*/values")
    assert not judged.passed
    assert repr(judged).splitlines()[1:] == ["  fail: schedule/constant/float64/values"]
    page = judged.write(tmp_path, "mine")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.html", "mine.json", "mine.md"]
    assert page.name == "mine.html" and read(tmp_path / "mine.json") == judged.certificate


def test_a_path_is_judged_in_processes_of_its_own() -> None:
    """What is named is loaded elsewhere, so that a crash costs one check."""
    path = Path(__file__)
    judged = truestep.certify(f"{path}:Constant", level="smoke", only="*/values", workers=1)
    assert judged.passed and judged.certificate["backend"]["spec"] == f"{path}:Constant"


def test_what_cannot_be_judged_is_refused() -> None:
    """An unknown name, no backend at all, and a glob that matches nothing."""
    with pytest.raises(UnknownBackend, match="unknown backend 'nonsense'"):
        truestep.certify("nonsense")
    with pytest.raises(BrokenBackend, match="name must be a non-empty string"):
        truestep.certify(object())
    with pytest.raises(ValueError, match=r"no check of .* matches 'zzz'"):
        truestep.certify(Constant, only="zzz")


def test_an_unavailable_backend_has_not_passed() -> None:
    """The certificate says why it was not run."""

    def gone() -> Constant:
        raise BackendUnavailable("no device")

    made = type("Gone", (Constant,), {"__init__": lambda self: gone()})
    judged = truestep.certify(made)
    assert not judged.passed and "was not run: no device." in repr(judged)
