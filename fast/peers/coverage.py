"""Which optimizers of a library have a row here, and which have none.

`python -m truestep.fast.peers.coverage [LIBRARY...]` prints a line for each that is installed. A
name counts if a row says that its class or constructor computes a rule, in whatever form.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Library:
    """One library, or a part of it.

    names(module): its optimizers. rows: the modules that hold tables of rows, and their names.
    beside: optimizers that another kind judges.
    """

    module: str
    names: Callable[[ModuleType], Iterable[str]]
    rows: tuple[tuple[str, str], ...]
    beside: tuple[str, ...] = ()


def _classes(module: ModuleType) -> Iterable[str]:
    """Of torch's kind, and no base of others."""
    base = importlib.import_module("torch").optim.Optimizer
    for name in getattr(module, "__all__", dir(module)):
        found = getattr(module, name, None)
        if inspect.isclass(found) and issubclass(found, base) and found is not base:
            yield name


def _constructors(home: str) -> Callable[[ModuleType], Iterable[str]]:
    """Functions from there that make a transformation of a rate, and no part of one."""

    def names(module: ModuleType) -> Iterable[str]:
        for name, found in inspect.getmembers(module, inspect.isfunction):
            parameters = inspect.signature(found).parameters
            rates = any("learning_rate" in parameter for parameter in parameters)
            whole = rates and not name.startswith("scale_by_")
            if found.__module__.startswith(home) and (whole or name in ("lbfgs", "mechanize")):
                yield name

    return names


def _loadable(module: ModuleType) -> Iterable[str]:
    """What pytorch-optimizer makes by name, but for what it hands on from torch."""
    for name in module.get_supported_optimizers():
        found = module.load_optimizer(name)
        if not found.__module__.startswith("torch."):
            yield found.__name__


LIBRARIES: dict[str, Library] = {
    "heavyball": Library("heavyball", _classes, (("heavyball.backend", "ROWS"),)),
    "optax": Library(
        "optax", _constructors("optax._src.alias"), (("optax.rows", "ROWS"),), beside=("lbfgs",)
    ),
    "optax.contrib": Library(
        "optax.contrib", _constructors("optax.contrib"), (("optax.contrib_rows", "CONTRIB_ROWS"),)
    ),
    "pytorch_optimizer": Library(
        "pytorch_optimizer", _loadable, (("pytorch_optimizer.rows", "ROWS"),)
    ),
    "torch": Library("torch.optim", _classes, (("torch.rows", "ROWS"),), beside=("LBFGS",)),
    "torch_optimizer": Library("torch_optimizer", _classes, (("torch_optimizer.backend", "ROWS"),)),
}


def covered(library: Library) -> tuple[list[str], list[str]]:
    """The optimizers that have a row, and those that have none, in alphabetical order."""
    known = set(library.beside)
    for home, table in library.rows:
        for row in getattr(importlib.import_module(f"truestep.fast.peers.{home}"), table):
            known.add(getattr(row, "optimizer", "") or getattr(row, "constructor", "") or row.rule)
    names = sorted(set(library.names(importlib.import_module(library.module))))
    return [x for x in names if x in known], [x for x in names if x not in known]


def told(name: str) -> str:
    """The line of a library: how many of how many, and the names without a row."""
    library = LIBRARIES[name]
    if importlib.util.find_spec(library.module.partition(".")[0]) is None:
        return f"{name}: not installed"
    have, lack = covered(library)
    without = f"; without: {', '.join(lack)}" if lack else ""
    return f"{name}: {len(have)} of {len(have) + len(lack)} optimizers have a row{without}"


if __name__ == "__main__":
    for chosen in sys.argv[1:] or LIBRARIES:
        print(told(chosen))
