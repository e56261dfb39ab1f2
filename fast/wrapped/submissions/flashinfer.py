"""A FlashInfer-Trace solution: JSON with sources and an entry point, and its definition.

The definition has the names of inputs and outputs; it is looked for beside the solution, and under
"definitions" of the folders above, as in a published trace set.

Source: https://github.com/flashinfer-ai/flashinfer-bench, docs/flashinfer-trace/solution.mdx and
definition.mdx.
"""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import torch

from truestep.fast.discovery import BrokenBackend
from truestep.fast.protocol import BackendUnavailable
from truestep.fast.wrapped.submissions.task import Call, Task, executed
from truestep.fast.wrapped.trials import Named

_LANGUAGES = ("python", "triton")
# Folders above a solution in which its trace set may begin.
_ABOVE = 5
# Of a scalar that has no value of its own.
_SCALARS: Mapping[str, object] = {"bool": False, "int32": 1, "int64": 1}
_SIZE = 4


def read(path: Path) -> Task:
    """The task of a solution."""
    solution = json.loads(path.read_text(encoding="utf-8"))
    spec = solution["spec"]
    language, entry = str(spec.get("language")), str(spec.get("entry_point"))
    if language not in _LANGUAGES:
        told = f"sources in {language!r} are not built, those in {' and '.join(_LANGUAGES)} are"
        raise BackendUnavailable(f"{path}: {told}")
    file, _, name = entry.partition("::")
    definition = _definition(path, str(solution.get("definition")))
    passed = bool(spec.get("destination_passing_style", True))
    if definition is None and passed:
        wanted = solution.get("definition")
        raise BrokenBackend(f"{path}: its definition {wanted!r} is neither beside it nor above it")

    def function() -> Callable[..., object]:
        loaded = executed(_written(path, solution["sources"], file))
        found: Callable[..., object] = getattr(loaded, name)
        return found

    if definition is None:
        own = function()
        arguments = list(inspect.signature(own).parameters)
        return Task(path.stem, arguments, {}, {}, (), None, lambda: _calling(own, None))
    reference = ModuleType("definition")
    exec(str(definition["reference"]), vars(reference))
    inputs = definition["inputs"]
    return Task(
        name=path.stem,
        inputs=list(inputs),
        examples={key: _example(each, definition["axes"]) for key, each in inputs.items()},
        numbers={},
        returns=list(definition["outputs"]),
        baseline=_calling(reference.run, None),
        candidate=lambda: _calling(function(), definition if passed else None),
    )


def _definition(path: Path, name: str) -> Named | None:
    beside = [path.with_name("definition.json"), path.with_name(f"{name}.json")]
    above = [
        file
        for folder in list(path.resolve().parents)[:_ABOVE]
        if (folder / "definitions").is_dir()
        for file in sorted((folder / "definitions").rglob(f"{name}.json"))
    ]
    for file in (*beside, *above):
        if file.is_file() and file != path:
            found = json.loads(file.read_text(encoding="utf-8"))
            if {"axes", "inputs", "outputs", "reference"} <= found.keys():
                return dict(found)
    return None


def _written(path: Path, sources: Sequence[Mapping[str, str]], entry: str) -> Path:
    """The sources as files, in a folder of their own; the path of the one that is entered."""
    folder = Path(tempfile.mkdtemp(prefix="truestep-solution-"))
    for source in sources:
        place = Path(source["path"])
        if place.is_absolute() or ".." in place.parts:
            raise BrokenBackend(f"{path}: source {source['path']!r} leaves its folder")
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(source["content"], encoding="utf-8")
    if not (folder / entry).is_file():
        raise BrokenBackend(f"{path}: entry point {entry!r} is none of its sources")
    return folder / entry


def _calling(function: Callable[..., object], definition: Named | None) -> Call:
    """definition: where outputs are passed, to be written; they hold nan, which shows if not."""

    def call(given: Named, numbers: Named) -> object:
        tensors = [x for x in given.values() if isinstance(x, torch.Tensor)]
        outputs = {}
        for name, each in (definition or {}).get("outputs", {}).items():
            like = _like(each, definition or {}, given)
            outputs[name] = torch.full_like(tensors[0] if like is None else like, torch.nan)
        with torch.no_grad():
            returned = function(*given.values(), *outputs.values())
        return outputs or returned

    return call


def _like(output: Named, definition: Named, given: Named) -> torch.Tensor | None:
    """An input that has the output's axes."""
    for name, each in definition["inputs"].items():
        if each["shape"] == output["shape"] and isinstance(given[name], torch.Tensor):
            found: torch.Tensor = given[name]
            return found
    return None


def _example(told: Named, axes: Mapping[str, Named]) -> object:
    """A tensor or a number such as the definition asks for."""
    if told["shape"] is None:
        return _SCALARS.get(told["dtype"], 0.5)
    sizes = [int(axes[axis].get("value", _SIZE)) for axis in told["shape"]]
    # Only its rank and its kind are looked at.
    return torch.zeros([min(size, _SIZE) for size in sizes], dtype=getattr(torch, told["dtype"]))
