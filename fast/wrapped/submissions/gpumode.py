"""A GPU MODE submission: custom_kernel(data), with the task's reference.py and task.yml beside it.

Source: https://github.com/gpu-mode/reference-kernels, problems/*/eval.py: data is what
generate_input(**test, seed=...) gives, a tuple or a dictionary of tensors and numbers.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Mapping, Sequence
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
    unpacked_names,
)
from truestep.fast.wrapped.trials import Named

# What a submission may import of its task.
_BESIDE = ("reference", "task", "utils")


def read(path: Path) -> Task:
    """The task of a submission, as far as its files are there."""
    beside = path.with_name("reference.py")
    tree = defined(tree_of(beside)) if beside.is_file() else {}
    own = defined(tree_of(path))["custom_kernel"]
    told = tree.get("ref_kernel", own)
    _stand_in(path)
    reference = executed(beside) if tree else None
    data = _example(reference, path.with_name("task.yml")) if reference else None
    named = unpacked_names(told) or unpacked_names(own)
    keyed = isinstance(data, Mapping) or (data is None and not named)
    names = [str(key) for key in data] if isinstance(data, Mapping) else named or _keys(told)
    if isinstance(data, Sequence) and len(names) != len(data):
        names = [f"input{i}" for i in range(len(data))]
    if not names:
        raise BrokenBackend(f"{path}: nothing tells what its data holds; is reference.py missing?")
    values = list(data.values()) if isinstance(data, Mapping) else _listed(data)
    kind = list if isinstance(data, list) else tuple

    def calling(function: Callable[[object], object]) -> Call:
        def call(given: Named, numbers: Named) -> object:
            whole = {name: given[name] for name in names}
            with torch.no_grad():
                return function(whole if keyed else kind(whole.values()))

        return call

    baseline = getattr(reference, "ref_kernel", None)
    return Task(
        name=path.stem,
        inputs=names,
        examples=dict(zip(names, values, strict=False)),
        numbers={},
        returns=returned_names(told),
        baseline=calling(baseline) if baseline else None,
        candidate=lambda: calling(executed(path).custom_kernel),
    )


def _listed(data: object) -> list[object]:
    return list(data) if isinstance(data, (list, tuple)) else []


def _stand_in(path: Path) -> None:
    """A module "task" with its two types, where the submission came without it."""
    for name in _BESIDE:
        sys.modules.pop(name, None)  # of another task
    if not path.with_name("task.py").is_file():
        task = ModuleType("task")
        task.input_t = task.output_t = object  # type: ignore[attr-defined]
        sys.modules["task"] = task


def _keys(function: ast.stmt) -> list[str]:
    """The keys by which a function reads its argument, in their order."""
    if not isinstance(function, ast.FunctionDef) or not function.args.args:
        return []
    name = function.args.args[0].arg
    found = [
        node.slice.value
        for node in ast.walk(function)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]
    return list(dict.fromkeys(found))


def _example(module: ModuleType, task: Path) -> object:
    """What generate_input gives for the first test; None where the machine lacks what it needs."""
    arguments = _first_test(task.read_text(encoding="utf-8")) if task.is_file() else {}
    try:
        return module.generate_input(**arguments)
    except (AssertionError, AttributeError, RuntimeError, TypeError):
        return None


def _first_test(text: str) -> Named:
    """The first entry under "tests:", which all published tasks write in one line."""
    found = re.search(r"^tests:\s*\n(?:\s*#.*\n)*\s*-\s*\{(.*)\}", text, re.MULTILINE)
    pairs = [part.partition(":") for part in found[1].split(",")] if found else []
    return {name.strip(" \"'"): _value(value.strip()) for name, _, value in pairs}


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text.replace("true", "True").replace("false", "False"))
    except (SyntaxError, ValueError):
        return text
