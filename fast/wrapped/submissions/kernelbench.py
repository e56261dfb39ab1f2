"""A KernelBench module: class Model, get_inputs(), get_init_inputs(), and class ModelNew.

The collections that follow it (MultiKernelBench, robust-kbench) have the task in a file of its
own; it is looked for beside the submission.

Source: https://github.com/ScalingIntelligence/KernelBench, README and src/eval.py.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

from truestep.fast.locating import BrokenBackend
from truestep.fast.wrapped.submissions.task import (
    Call,
    Task,
    defined,
    executed,
    returned_names,
    tree_of,
)
from truestep.fast.wrapped.trials import Named

# Modules that are kept as they were made: what one remembers from call to call shows.
_MADE = 64


def read(path: Path) -> Task:
    """The task of a module, and of the file beside it that has the baseline."""
    own = defined(tree_of(path))
    home = path if "Model" in own else _beside(path)
    classes = defined(tree_of(home)) if home else own
    theirs = classes.get("Model", own.get("ModelNew"))
    module = executed(home) if home else executed(path)
    kind = getattr(module, "Model", None) or module.ModelNew
    forward = next(
        (x for x in ast.walk(theirs) if getattr(x, "name", "") == "forward"), None
    ) if theirs else None  # fmt: skip
    inputs = list(inspect.signature(kind.forward).parameters)[1:]
    numbers = _numbers(kind, _listed(module, "get_init_inputs"))

    def candidate() -> Call:
        new = module if home in (None, path) else executed(path)
        return _calling(getattr(new, "ModelNew", None) or new.Model, inputs)

    return Task(
        name=path.stem,
        inputs=inputs,
        examples=dict(zip(inputs, _listed(module, "get_inputs"), strict=False)),
        numbers=numbers,
        returns=returned_names(forward if isinstance(forward, ast.FunctionDef) else None),
        baseline=_calling(kind, inputs) if hasattr(module, "Model") else None,
        candidate=candidate,
    )


def _beside(path: Path) -> Path | None:
    """The file beside a submission that defines the task's Model."""
    others = [file for file in sorted(path.parent.glob("*.py")) if file != path]
    found = [file for file in others if {"Model", "get_inputs"} <= defined(tree_of(file)).keys()]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise BrokenBackend(f"{path}: which is its task? Model is in {names}")
    return found[0] if found else None


def _listed(module: ModuleType, name: str) -> list[object]:
    """What get_inputs or get_init_inputs gives; nothing where the machine lacks what it needs."""
    function = getattr(module, name, None)
    try:
        return list(function()) if callable(function) else []
    except (AssertionError, RuntimeError):
        return []


def _numbers(kind: type, given: Sequence[object]) -> Named:
    """The constructor's numbers: as the task gives them, else by their defaults."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    values = {p.name: p.default for p in named if p.default is not p.empty}
    values |= {p.name: x for p, x in zip(named, given, strict=False)}
    told = {name: x for name, x in values.items() if x is not None}
    return {name: tuple(x) if isinstance(x, list) else x for name, x in told.items()}


def _calling(kind: type[torch.nn.Module], inputs: Sequence[str]) -> Call:
    made: dict[str, torch.nn.Module] = {}

    def call(given: Named, numbers: Named) -> object:
        key = repr(sorted(numbers.items()))
        if key not in made:
            while len(made) >= _MADE:
                del made[next(iter(made))]
            module = kind(**numbers)
            tensors = [x for x in given.values() if isinstance(x, torch.Tensor)]
            made[key] = module.to(tensors[0].device) if tensors else module
        with torch.no_grad():
            return made[key](*[given[name] for name in inputs])

    return call
