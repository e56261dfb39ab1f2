"""Backends are found by name, dotted path and file; errors show the value that is wrong."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from truestep.fast import discovery
from truestep.fast.protocol import (
    BackendUnavailable,
    Capability,
    OptimizerCapability,
    QuantizerCapability,
    ScheduleCapability,
    Storage,
)

ADAMW = Capability(kind="optimizer", rule="adamw")


class Sound:
    """A backend with nothing wrong."""

    name = "sound"

    def __init__(self, *capabilities: Capability) -> None:
        self._capabilities = capabilities or (ADAMW,)

    def capabilities(self) -> tuple[Capability, ...]:
        return self._capabilities

    def optimizer_step(self, capability: Capability, groups: Any) -> list[Any]:
        return []


SOURCE = """\
from truestep.fast.protocol import Capability

class Mine:
    name = "mine"
    def capabilities(self):
        return [Capability(kind="optimizer", rule="adamw")]
    def optimizer_step(self, capability, groups):
        return []

def build():
    return Mine()

instance = Mine()
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The dotted path of an importable module that holds a backend."""
    (tmp_path / "adapter_of_mine.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "adapter_of_mine", raising=False)
    return "adapter_of_mine"


@pytest.mark.parametrize("attribute", ["Mine", "build", "instance"])
def test_a_class_a_factory_and_an_instance_load_by_dotted_path(module: str, attribute: str) -> None:
    """What the name stands for does not matter: an instance comes back."""
    assert discovery.load(f"{module}:{attribute}").name == "mine"


def test_a_file_needs_no_name_when_one_class_is_a_backend(tmp_path: Path) -> None:
    """file.py and file.py:Name both load; a name that is absent is shown with what is near it."""
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    assert discovery.load(str(path)).name == "mine"
    assert discovery.load(f"{path}:build").name == "mine"
    with pytest.raises(discovery.UnknownBackend, match=r"no attribute 'Min'.*did you mean 'Mine'"):
        discovery.load(f"{path}:Min")


def test_a_file_with_two_backends_asks_for_a_name(tmp_path: Path) -> None:
    """The error lists the classes to choose from."""
    path = tmp_path / "two.py"
    path.write_text(SOURCE + "\nclass Other(Mine):\n    pass\n")
    with pytest.raises(discovery.UnknownBackend, match="Mine, Other"):
        discovery.load(str(path))


def test_an_entry_point_is_a_name(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of the entry-point group load and are listed as available."""
    point = importlib.metadata.EntryPoint("mine", f"{module}:Mine", discovery.ENTRY_POINT_GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    assert discovery.load("mine").name == "mine"
    assert discovery.available()["mine"] == ""


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("troch", "unknown backend 'troch'.*did you mean 'torch'"),
        ("no_such_package_here.module:Name", "no module named 'no_such_package_here'"),
        ("/no/such/file.py", "no such file"),
        ("callable:", "'callable:': what is wrapped is written as callable:package.module:Name"),
        ("callable:file.py:", "written as callable:package.module:Name"),
        ("callable:no_colon", "written as callable:package.module:Name or callable:file.py:Name"),
        ("ctypes:lib.so", "written as ctypes:library.so:'DECLARATION'"),
        ("callable:/no/such/file.py:step", "no such file"),
        ("callable:no_such_package_here:step", "no module named 'no_such_package_here'$"),
        ("callable:math.nothing:step", "no module named 'math.nothing'$"),
    ],
)
def test_an_unknown_backend_is_named_with_what_is_near(spec: str, message: str) -> None:
    """The value, why it is unknown, and near misses."""
    with pytest.raises(discovery.UnknownBackend, match=message):
        discovery.load(spec)


def test_an_adapter_that_cannot_be_imported_shows_its_traceback(tmp_path: Path) -> None:
    """The last lines of the original traceback, with the adapter's own line."""
    path = tmp_path / "broken.py"
    path.write_text("import sys\nvalue = 1 / len(sys.argv[:0])\n")
    with pytest.raises(discovery.BrokenBackend, match="ZeroDivisionError") as caught:
        discovery.load(str(path))
    assert "broken.py" in str(caught.value)


def test_a_missing_library_inside_an_adapter_is_not_an_unknown_module(tmp_path: Path) -> None:
    """The adapter exists: the error is the adapter's import of something else."""
    path = tmp_path / "needs.py"
    path.write_text("import no_such_library_here\n")
    with pytest.raises(discovery.BrokenBackend, match="no_such_library_here"):
        discovery.load(str(path))


def test_unavailable_is_passed_on() -> None:
    """A factory that says the backend cannot run here is neither broken nor unknown."""

    def build() -> Any:
        raise BackendUnavailable("no such device")

    holder = types.ModuleType("holder_of_unavailable")
    holder.__dict__["build"] = build
    sys.modules[holder.__name__] = holder
    try:
        with pytest.raises(BackendUnavailable, match="no such device"):
            discovery.load("holder_of_unavailable:build")
    finally:
        del sys.modules[holder.__name__]


@pytest.mark.parametrize(
    ("capability", "message"),
    [
        (Capability(kind="optimiser", rule="adamw"), "kind 'optimiser'.*did you mean 'optimizer'"),
        (Capability(kind="optimizer", rule="adamW"), "rule 'adamW'.*did you mean"),
        (Capability(kind="optimizer", rule="adamw", level="slow"), "level 'slow'"),
        (Capability(kind="optimizer", rule="adamw", format="float31"), "'float31'"),
        (
            Capability(kind="optimizer", rule="adamw", dialect={"decay": "befor"}),
            "dialect decay 'befor'.*did you mean 'before'",
        ),
        (Capability(kind="optimizer", rule="adamw", dialect={"decya": "before"}), "field 'decya'"),
        (
            Capability(kind="optimizer", rule="adamw", fixed={"beta3": 0.1}),
            "hyperparameter 'beta3'",
        ),
        ("adamw", "must be a Capability, got 'adamw'"),
        (OptimizerCapability(rule="adamw", shapes="matrixes"), "shapes 'matrixes'.*'matrices'"),
        (
            OptimizerCapability(rule="adamw", storage={"q": Storage("dynamic_8bit")}),
            "stored tensor 'q' is not one of: m, p, t, v",
        ),
        (
            OptimizerCapability(rule="adamw", storage={"m": Storage("dynamic_9bit")}),
            "storage of 'm': quantizer 'dynamic_9bit'.*did you mean 'dynamic_8bit'",
        ),
        (
            OptimizerCapability(
                rule="adamw", storage={"m": Storage("dynamic_8bit", {"block_size": (256, 0)})}
            ),
            "storage of 'm': dynamic_8bit: block_size must be >= 1, got 0$",
        ),
        (
            OptimizerCapability(rule="adamw", storage={"m": Storage("dynamic_8bit", {"blok": 1})}),
            "storage of 'm': dynamic_8bit: .*unexpected keyword argument 'blok'",
        ),
        (
            QuantizerCapability(kind="schedule", rule="cosine"),
            "kind 'schedule' is declared by ScheduleCapability, got a QuantizerCapability",
        ),
        (QuantizerCapability(rule="nf4", packing="gtpq"), "packing 'gtpq'.*did you mean 'gptq'"),
        (
            QuantizerCapability(rule="int3", packing="awq"),
            "packing 'awq' is of 4 bits, codes have 3",
        ),
        (
            QuantizerCapability(rule="nf4", random_bits=65),
            r"random_bits must be an integer in \[0, 64\], got 65",
        ),
        (ScheduleCapability(rule="adamw"), "schedule rule 'adamw' is not one of"),
    ],
)
def test_a_wrong_capability_is_shown_with_its_value(capability: Any, message: str) -> None:
    """Each field is held against the tables of the reference."""
    with pytest.raises(discovery.BrokenBackend, match=message) as caught:
        discovery.check(Sound(capability), "sound")
    assert "\n" not in str(caught.value)


def test_capabilities_that_no_result_could_tell_apart_are_refused() -> None:
    """Two dialects of one rule, format and variant would share the ids of their checks."""
    other = Capability(kind="optimizer", rule="adamw", dialect={"decay": "before"})
    with pytest.raises(discovery.BrokenBackend, match="optimizer/adamw/float32 is listed twice"):
        discovery.check(Sound(ADAMW, other), "sound")


def test_what_a_backend_lacks_is_listed() -> None:
    """The name, capabilities() and the methods of the kinds it offers."""
    nameless = Sound()
    nameless.name = ""
    with pytest.raises(discovery.BrokenBackend, match="name must be a non-empty string, got ''"):
        discovery.check(nameless, "x")
    with pytest.raises(discovery.BrokenBackend, match=r"no method capabilities\(\)"):
        discovery.check(types.SimpleNamespace(name="y"), "y")
    silent = types.SimpleNamespace(name="z", capabilities=list)
    with pytest.raises(discovery.BrokenBackend, match="empty"):
        discovery.check(silent, "z")
    stepless = types.SimpleNamespace(name="w", capabilities=lambda: [ADAMW])
    with pytest.raises(discovery.BrokenBackend, match=r"lacks optimizer_step \(kind 'optimizer'\)"):
        discovery.check(stepless, "w")


def test_asking_what_is_available_imports_no_heavy_library() -> None:
    """Every builtin is listed, and neither torch nor cupy is imported on the way."""
    program = (
        "import sys; from truestep.fast import discovery as d; a = d.available(); "
        "assert set(d.builtin()) <= set(a), a; "
        "print(not {'torch', 'cupy', 'jax', 'hypothesis'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "True"
