"""A submission as something to call: what it is given by name, and what it gives back."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from truestep.fast.locating import BrokenBackend
from truestep.fast.wrapped.trials import Named

# From the inputs and the numbers of the construction, by name, to whatever it returns.
Call = Callable[[Named, Named], object]
_NUMBERS = (bool, int, float)


@dataclass(frozen=True, slots=True)
class Task:
    """A task, and the submission to it.

    inputs: what a call takes, in order. examples: the task's own inputs by name, as far as it has
    any. numbers: what the construction takes, with defaults. returns: what is returned, in order,
    () where nothing tells. baseline: the task's own solution. candidate: loads the submission, and
    is called once, when the baseline has told what can be told by it.
    """

    name: str
    inputs: Sequence[str]
    examples: Mapping[str, object]
    numbers: Mapping[str, object]
    returns: Sequence[str]
    baseline: Call | None
    candidate: Callable[[], Call]


def tree_of(path: Path) -> ast.Module:
    """A file's syntax; raises BrokenBackend where it has none."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise BrokenBackend(f"{path}, line {error.lineno}: {error.msg}") from None
    except (OSError, ValueError) as error:
        raise BrokenBackend(f"{path}: cannot be read as Python: {error}") from None


def defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """The functions and classes of a file by name."""
    return {x.name: x for x in tree.body if isinstance(x, (ast.ClassDef, ast.FunctionDef))}


def executed(path: Path) -> ModuleType:
    """The module of a file; what lies beside it and above it can be imported by it."""
    folder = path.resolve().parent
    for place in (folder.parent, folder):
        if str(place) not in sys.path:
            sys.path.insert(0, str(place))
    name = f"truestep_submission_{path.stem}"
    location = importlib.util.spec_from_file_location(name, path)
    if location is None or location.loader is None:
        raise BrokenBackend(f"{path} cannot be read as a Python module")
    module = importlib.util.module_from_spec(location)
    sys.modules[name] = module
    location.loader.exec_module(module)
    return module


def returned_names(function: ast.stmt | None) -> list[str]:
    """The names in the last "return a, b, c" of a function, [] where they are not all names."""
    found = [x.value for x in ast.walk(function) if isinstance(x, ast.Return)] if function else []
    last = found[-1] if found else None
    parts = last.elts if isinstance(last, (ast.List, ast.Tuple)) else [last]
    names = [x.id for x in parts if isinstance(x, ast.Name)]
    return names if len(names) == len(parts) else []


def unpacked_names(function: ast.stmt | None) -> list[str]:
    """The names in the first "a, b, c = data" of a function whose argument is data."""
    if not isinstance(function, ast.FunctionDef) or not function.args.args:
        return []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            target = node.targets[0]
            of_data = node.value.id == function.args.args[0].arg
            if of_data and isinstance(target, (ast.List, ast.Tuple)):
                names = [x.id for x in target.elts if isinstance(x, ast.Name)]
                return names if len(names) == len(target.elts) else []
    return []


def is_number(x: object) -> bool:
    """Whether an example is a Python number, or several."""
    if isinstance(x, tuple):
        return bool(x) and all(map(is_number, x))
    return isinstance(x, _NUMBERS)
