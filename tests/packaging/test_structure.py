"""The layout draws: no circle among the product's files, and no import that points up."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Imports only point down this list. The public face names what stands above it, lazily.
FLOORS = ("reports", "properties", "fast", "reference")
# Inside properties; soundness, museum and suite stand on all of these.
PROPERTIES = ("run", "kinds", "laws", "cases", "search", "judge", "arithmetic")


def _modules() -> dict[str, Path]:
    """Every Python file of the product by its module's name."""
    found = {"truestep": ROOT / "src" / "truestep" / "__init__.py"}
    for folder in FLOORS:
        for path in (ROOT / folder).rglob("*.py"):
            if "__pycache__" not in path.parts:
                parts = ("truestep", *path.relative_to(ROOT).with_suffix("").parts)
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _named(path: Path) -> Iterator[str]:
    """Modules that a file names: imports, inside functions too, and strings "truestep.x.y"."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and str(node.value).startswith("truestep."):
            yield str(node.value).partition(":")[0]


def _arrows() -> dict[str, set[str]]:
    modules = _modules()
    return {
        name: {target for target in _named(path) if target in modules and target != name}
        for name, path in modules.items()
    }


def _circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one file: x and y that reach each other."""
    reached = {name: _reached(arrows, name) for name in arrows}
    members = {
        name: frozenset(other for other in reached[name] if name in reached[other])
        for name in arrows
    }
    return sorted(sorted(found) for found in set(members.values()) if len(found) > 1)


def _reached(arrows: Mapping[str, set[str]], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for target in arrows[waiting.pop()] - found:
            found.add(target)
            waiting.append(target)
    return found


def _floor(module: str, floors: tuple[str, ...], depth: int) -> int | None:
    """Which of the floors a module stands on, 0 at the top; None for one beside them."""
    parts = module.split(".")
    return floors.index(parts[depth]) if len(parts) > depth and parts[depth] in floors else None


def _up(floors: tuple[str, ...], depth: int) -> list[str]:
    """Arrows that point up a list of floors."""
    found = []
    for name, targets in _arrows().items():
        for target in targets:
            start, end = _floor(name, floors, depth), _floor(target, floors, depth)
            if start is not None and end is not None and end < start:
                found.append(f"{name} -> {target}")
    return sorted(found)


def test_circles_are_found() -> None:
    """The judge of this file: two circles that share no file, and a chain that is none."""
    arrows = {"a": {"b"}, "b": {"c", "a"}, "c": {"d"}, "d": {"e"}, "e": {"c"}, "f": {"a"}}
    assert _circles(arrows) == [["a", "b"], ["c", "d", "e"]]


def test_no_circles_among_files() -> None:
    """A file can be read and tested without the files that use it."""
    circles = _circles(_arrows())
    assert not circles, "\n".join(" <-> ".join(circle) for circle in circles)


def test_no_arrows_up() -> None:
    """reports > properties > fast > reference, for modules that only a string names as well."""
    found = _up(FLOORS, depth=1)
    assert not found, "\n".join(found)


def test_no_arrows_up_inside_properties() -> None:
    """run > kinds > laws > cases > search > judge > arithmetic."""
    properties = [arrow for arrow in _up(PROPERTIES, depth=2) if ".properties." in arrow]
    assert not properties, "\n".join(properties)


# What an installation without any library has besides Python.
INSTALLED = {
    *("click", "hypothesis", "jinja2", "jsonschema_rs", "markupsafe", "ml_dtypes", "mpmath"),
    *("numpy", "packaging", "pytest", "rich", "scipy", "truestep"),
    "markdown_it",  # rich requires it
}


def _loaded(path: Path) -> Iterator[str]:
    """Modules that a file imports as it is loaded, up to where it asks for a library."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        asks = isinstance(node, ast.Expr | ast.Assign | ast.If)
        if asks and any(word in ast.dump(node) for word in ("importorskip", "allow_module_level")):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_tests_load_where_no_library_is() -> None:
    """They skip then: none of them, nor what they import at once, needs one to be imported."""
    tests = sorted((ROOT / "tests").rglob("*.py"))
    known = INSTALLED | set(sys.stdlib_module_names) | {path.stem for path in tests}
    named = {name: set(_loaded(path)) for name, path in _modules().items()}
    inside = {name: names & named.keys() for name, names in named.items()}
    roots = {name: {x.partition(".")[0] for x in names} for name, names in named.items()}
    lacking = {name for name, found in roots.items() if found - known}
    needed = {}
    for path in tests:
        direct = set(_loaded(path))
        reached = set().union(*(_reached(inside, name) for name in direct & named.keys()))
        if lacks := {x.partition(".")[0] for x in direct} - known | reached & lacking:
            needed[str(path.relative_to(ROOT))] = lacks
    assert needed == {}
