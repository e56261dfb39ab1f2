from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import truestep
from truestep.fast.discovery import builtin
from truestep.fast.protocol import BackendUnavailable
from truestep.reports.environment import LIBRARIES

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TABLE: dict[str, str] = PYPROJECT["tool"]["scikit-build"]["wheel"]["packages"]
# What the wheel does not carry: tests of the suite itself, and C++ that is compiled into it.
COMPILED = ("csrc/bindings", "csrc/cpu", "csrc/factored", "csrc/parts")
NOT_SHIPPED = ("tests", *COMPILED)
SOURCES = (".cpp", ".cu", ".cuh", ".h")


def _own_files(*suffixes: str) -> list[Path]:
    folders = ("csrc", "fast", "properties", "reference", "reports", "src", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return [path for path in files if path.suffix in suffixes and "__pycache__" not in path.parts]


def _shipped_as(path: Path) -> str | None:
    """Where the wheel holds a file of this repository, by the table; None if no entry covers it."""
    for package, folder in TABLE.items():
        if path.is_relative_to(ROOT / folder):
            return f"{package}/{path.relative_to(ROOT / folder)}"
    return None


def test_table_covers_every_source_file() -> None:
    """Each Python file, header and kernel outside the folders that are not shipped has an entry."""
    uncovered = [
        str(path.relative_to(ROOT))
        for path in _own_files(".py", *SOURCES)
        if _shipped_as(path) is None
        and not any(path.is_relative_to(ROOT / folder) for folder in NOT_SHIPPED)
    ]
    assert not uncovered, f"not covered by [tool.scikit-build.wheel.packages]: {uncovered}"


def test_table_names_only_folders_that_exist() -> None:
    """An entry without a folder would be left out of the wheel in silence."""
    assert [folder for folder in TABLE.values() if not (ROOT / folder).is_dir()] == []


def test_table_is_alphabetical() -> None:
    """The table is read from top to bottom."""
    assert list(TABLE) == sorted(TABLE)


def test_every_folder_with_python_files_is_a_package() -> None:
    """Without __init__.py it would be a namespace package, which typing tools and --pyargs miss."""
    lacking = {
        str(path.parent.relative_to(ROOT))
        for path in _own_files(".py")
        if not path.is_relative_to(ROOT / "tests")
        and not (path.parent / "__init__.py").exists()
        # Programs that show a finding, each run on its own and imported by nothing.
        and path.parent.name != "reproducers"
    }
    assert lacking == set()


def test_every_module_is_installed() -> None:
    """Each Python file of the shipped folders is found as a module of the installed package."""
    missing = []
    for path in _own_files(".py"):
        if (shipped := _shipped_as(path)) is None:
            continue
        module = shipped.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if importlib.util.find_spec(module) is None:
            missing.append(module)
    assert not missing, f"not installed (make setup): {missing}"


def test_every_kernel_source_is_installed() -> None:
    """The headers and kernels that are compiled at run time lie under truestep/csrc."""
    package = Path(truestep.__file__).parent
    if not (package / "csrc").is_dir():
        pytest.skip("editable install: kernels are read from the checkout")
    missing = [
        shipped
        for path in _own_files(*SOURCES)
        if (shipped := _shipped_as(path)) is not None and not (package.parent / shipped).is_file()
    ]
    assert missing == []


def test_no_folder_at_the_root_shadows_the_install() -> None:
    """A truestep/ folder at the root would be imported instead of the installed package."""
    assert not (ROOT / "truestep").exists()


def test_version_is_stated_once() -> None:
    """The installed metadata carries the version that src/truestep/__init__.py states."""
    assert importlib.metadata.version("truestep") == truestep.__version__


def test_entry_points_can_be_loaded() -> None:
    """The script, the plugin and every backend exist; only a peer's library may be missing."""
    distribution = importlib.metadata.distribution("truestep")
    groups = {entry.group for entry in distribution.entry_points}
    assert groups >= {"console_scripts", "pytest11", "truestep.backends"}
    for entry in distribution.entry_points:
        try:
            assert entry.load() is not None
        except BackendUnavailable:
            assert (entry.group, entry.name != "cpu") == ("truestep.backends", True)
        except ModuleNotFoundError as missing:
            if (entry.group, entry.name) != ("truestep.backends", missing.name):
                raise


def test_entry_points_agree_with_the_built_in_table() -> None:
    """A backend of ours is the same object, whether found by entry point or by built-in name."""
    ours = PYPROJECT["project"]["entry-points"]["truestep.backends"]
    assert ours.items() <= builtin().items()


def test_every_library_is_pinned_and_recorded() -> None:
    """A library's version decides verdicts: it is pinned for CI and stands in certificates."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    names = {re.split(r"[<>=]", line)[0] for line in extras["peers"]}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].replace("_", "-") for line in lines}
    assert names - pinned == set()
    assert names - set(LIBRARIES) == set()
