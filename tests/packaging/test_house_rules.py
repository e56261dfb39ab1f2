from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Imports only point down this list.
ORDER = ("reports", "properties", "fast", "reference")
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def _imports(path: Path) -> set[str]:
    """Dotted names of everything a Python file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _python_files(folder: str) -> list[Path]:
    return [p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts]


def test_imports_only_point_down() -> None:
    """No folder imports from one above it: reports, properties, fast, reference."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for position, folder in enumerate(ORDER)
        for path in _python_files(folder)
        for name in _imports(path)
        for above in ORDER[:position]
        if name.startswith(f"truestep.{above}")
    ]
    assert not wrong, "\n".join(wrong)


def test_no_folder_is_imported_bare() -> None:
    """The bare names are other people's packages on PyPI: everything is imported as truestep.X."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for folder in (*ORDER, "src", "tests")
        for path in _python_files(folder)
        for name in _imports(path)
        if name.split(".")[0] in ORDER
    ]
    assert not wrong, "\n".join(wrong)


def test_reference_needs_only_numpy_and_scipy() -> None:
    """A reference is read beside the paper: nothing but NumPy, SciPy and the standard library."""
    allowed = {"numpy", "scipy", "truestep"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _python_files("reference")
        for name in _imports(path)
        if (top := name.split(".")[0]) not in allowed and top not in sys.stdlib_module_names
    ]
    assert not wrong, "\n".join(wrong)


def test_every_verb_is_listed() -> None:
    """The Makefile's verbs carry a line of help, and the README names each of them."""
    verbs = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split()
    without_help = [v for v in verbs if not re.search(rf"^{v}:.*  ## ", MAKEFILE, re.MULTILINE)]
    assert without_help == []
    unnamed = [v for v in verbs if v != "help" and f"`make {v}`" not in README]
    assert not unnamed, f"README names no {unnamed}"


def test_readme_maps_every_folder() -> None:
    """Each top-level folder of the repository has its line in the README's map."""
    ignored = re.findall(r"^/(.+)/$", (ROOT / ".gitignore").read_text(), re.MULTILINE)
    folders = [
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith((".", "__")) and path.name not in ignored
    ]
    unmapped = [name for name in folders if not re.search(rf"^`?{name}/", README, re.MULTILINE)]
    assert not unmapped, f"the README's map lacks {unmapped}"


def test_changelog_has_an_unreleased_section() -> None:
    """Keep a Changelog: what is not released yet stands first."""
    sections = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] == "Unreleased"


def test_every_lint_ignore_has_a_reason() -> None:
    """Each ignored lint rule and each filtered warning carries a comment."""
    text = (ROOT / "pyproject.toml").read_text()
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]
    bare = [
        rule for rule in ignored if not re.search(rf'^    "{rule}",\s+# \S', text, re.MULTILINE)
    ]
    assert bare == []
