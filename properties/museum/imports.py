"""Which modules of the references a module imports: what lies between a rule and a changed line."""

import ast
import inspect
import sys
from collections.abc import Collection, Iterator
from functools import cache
from types import ModuleType

_REFERENCES = "truestep.reference"


def between(module: ModuleType, changed: Collection[ModuleType]) -> list[ModuleType]:
    """The changed modules that this one imports, and those through which it does, deepest first."""
    found: dict[ModuleType, bool] = {}

    def reaches(one: ModuleType) -> bool:
        if one not in found:
            # Of all: each is to stand in the list before those that import it.
            below = [reaches(other) for other in imported(one)]
            found[one] = one in changed or any(below)
            order.append(one)
        return found[one]

    order: list[ModuleType] = []
    reaches(module)
    return [one for one in order if found[one] and one is not module]


@cache
def imported(module: ModuleType) -> tuple[ModuleType, ...]:
    """The references that the module's own lines import when it is loaded."""
    names = dict.fromkeys(_names(ast.parse(inspect.getsource(module))))
    modules = (sys.modules.get(name) for name in names if name.startswith(_REFERENCES))
    return tuple(one for one in modules if one is not None and not hasattr(one, "__path__"))


def _names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
