"""A module from a file that the caller names, and what is said of one that cannot be executed."""

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType


def from_file(path: Path, name: str) -> ModuleType:
    """The module that a Python file is, under that name in sys.modules.

    Raises FileNotFoundError, and whatever executing it raises; the name is free again then.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None and found.loader is not None  # the file's name ends with .py
    module = importlib.util.module_from_spec(found)
    before = sys.modules.get(name)
    # Where dataclasses look the annotations of their fields up.
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


def in_a_line(error: BaseException) -> str:
    """An exception with the file and line that it comes from."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said, at, line = str(error), frame.filename, frame.lineno
    if isinstance(error, SyntaxError):
        said, at, line = error.msg, error.filename or at, error.lineno
    return " ".join(f"{type(error).__name__}: {said} ({at}, line {line})".split())
