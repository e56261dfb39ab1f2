"""Where in somebody's files a backend stands: what annotations and SARIF point at."""

import ast
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from truestep.fast.wrapped import specs


@dataclass(frozen=True, slots=True)
class Source:
    """path: from the working directory where it lies below it. line: from 1."""

    path: Path
    line: int


def place_of(spec: str) -> Source | None:
    """The file and line of what a spec names; None where that cannot be told without running it."""
    asked = specs.parsed(spec)
    target = asked.target if asked else spec
    module, _, name = target.rpartition(":") if not target.endswith(".py") else (target, "", "")
    path = Path(module) if module.endswith(".py") else _file_of(module)
    if path is None or not path.is_file():
        return None
    here, whole = Path.cwd(), path.resolve()
    shown = whole.relative_to(here) if whole.is_relative_to(here) else whole
    return Source(shown, _line(path, name))


def _file_of(module: str) -> Path | None:
    """The file of a module, found without importing the packages above it."""
    top, *rest = module.split(".")
    try:
        found = find_spec(top) if top else None
        for number, _ in enumerate(rest, 2):
            places = found.submodule_search_locations if found else None
            name = ".".join(module.split(".")[:number])
            found = PathFinder.find_spec(name, places) if places else None
    except (ImportError, ValueError):
        return None
    return Path(found.origin) if found and found.has_location and found.origin else None


def _line(path: Path, name: str) -> int:
    """Where a name is defined in a file; 1 where that is not seen."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return 1
    for node in body:
        named = [getattr(node, "name", "")]
        targets = node.targets if isinstance(node, ast.Assign) else []
        named += [target.id for target in targets if isinstance(target, ast.Name)]
        if name and name in named:
            return int(node.lineno)
    return 1
