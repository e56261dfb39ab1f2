"""Which optimizers and schedules of a library have a row here, and which have none.

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

    names(module): its optimizers, or what else they are. rows: the modules that hold tables of
    rows, and their names. beside: those that another kind judges.
    """

    module: str
    names: Callable[[ModuleType], Iterable[str]]
    rows: tuple[tuple[str, str], ...]
    beside: tuple[str, ...] = ()
    what: str = "optimizers"


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


def _schedulers(module: ModuleType) -> Iterable[str]:
    """Classes of torch's kind, and no base of others."""
    base = importlib.import_module("torch").optim.lr_scheduler.LRScheduler
    for name in module.__all__:
        if issubclass(getattr(module, name), base) and name != "LRScheduler":
            yield name


def _decays(module: ModuleType) -> Iterable[str]:
    """Functions that make a schedule, by the names that optax gives them."""
    for name, _ in inspect.getmembers(module, inspect.isfunction):
        if name.endswith(("_schedule", "_schedules", "_decay")):
            yield name


def _derived(module: ModuleType) -> Iterable[str]:
    """Keras's classes."""
    base = module.LearningRateSchedule
    for name, found in inspect.getmembers(module, inspect.isclass):
        if issubclass(found, base) and found is not base:
            yield name


def _types(module: ModuleType) -> Iterable[str]:
    """The names that transformers' Trainer takes."""
    return [kind.value for kind in module.TYPE_TO_SCHEDULER_FUNCTION]


def _loadable_schedules(module: ModuleType) -> Iterable[str]:
    """What pytorch-optimizer makes by name, but for what it hands on from torch."""
    for name in module.get_supported_lr_schedulers():
        found = module.load_lr_scheduler(name)
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
    "keras.optimizers.schedules": Library(
        "keras.optimizers.schedules", _derived, (("keras.schedules", "ROWS"),), what="schedules"
    ),
    "optax.schedules": Library(
        "optax.schedules", _decays, (("optax.schedules", "ROWS"),), what="schedules"
    ),
    "pytorch_optimizer.lr_scheduler": Library(
        "pytorch_optimizer",
        _loadable_schedules,
        (("pytorch_optimizer.schedules", "ROWS"),),
        what="schedules",
    ),
    "torch.optim.lr_scheduler": Library(
        "torch.optim.lr_scheduler",
        _schedulers,
        (("torch.schedules", "ROWS"),),
        beside=("ReduceLROnPlateau",),
        what="schedules",
    ),
    "transformers.optimization": Library(
        "transformers.optimization",
        _types,
        (("transformers.schedules", "ROWS"),),
        beside=("greedy", "reduce_lr_on_plateau"),
        what="schedules",
    ),
    "torch_optimizer": Library("torch_optimizer", _classes, (("torch_optimizer.backend", "ROWS"),)),
}


# What a row calls that which it is a row of.
_NAMED = ("optimizer", "constructor", "schedule", "scheduler", "rule")


def covered(library: Library) -> tuple[list[str], list[str]]:
    """The names that have a row, and those that have none, in alphabetical order."""
    known = set(library.beside)
    for home, table in library.rows:
        for row in getattr(importlib.import_module(f"truestep.fast.peers.{home}"), table):
            known.add(next(filter(None, (getattr(row, x, "") for x in _NAMED))))
    names = sorted(set(library.names(importlib.import_module(library.module))))
    return [x for x in names if x in known], [x for x in names if x not in known]


def told(name: str) -> str:
    """The line of a library: how many of how many, and the names without a row."""
    library = LIBRARIES[name]
    if importlib.util.find_spec(library.module.partition(".")[0]) is None:
        return f"{name}: not installed"
    have, lack = covered(library)
    without = f"; without: {', '.join(lack)}" if lack else ""
    return f"{name}: {len(have)} of {len(have) + len(lack)} {library.what} have a row{without}"


if __name__ == "__main__":
    for chosen in sys.argv[1:] or LIBRARIES:
        print(told(chosen))
