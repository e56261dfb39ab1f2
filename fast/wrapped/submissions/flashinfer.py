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

from truestep.fast.locating import BrokenBackend
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
        with tempfile.TemporaryDirectory(prefix="truestep-solution-") as folder:
            loaded = executed(_written(path, solution["sources"], file, Path(folder)))
        found: Callable[..., object] = getattr(loaded, name)
        return found

    if definition is None:
        own = function()
        arguments = list(inspect.signature(own).parameters)
        return Task(path.stem, arguments, {}, {}, (), None, lambda: _calling(own, {}, passed=False))
    reference = ModuleType("definition")
    exec(str(definition["reference"]), vars(reference))
    inputs = definition["inputs"]
    return Task(
        name=path.stem,
        inputs=list(inputs),
        examples={key: _example(each, definition["axes"]) for key, each in inputs.items()},
        numbers={},
        returns=list(definition["outputs"]),
        baseline=_calling(reference.run, definition, passed=False),
        candidate=lambda: _calling(function(), definition, passed=passed),
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


def _written(path: Path, sources: Sequence[Mapping[str, str]], entry: str, folder: Path) -> Path:
    """The sources as files in a folder; the path of the one that is entered."""
    for source in sources:
        place = Path(source["path"])
        if place.is_absolute() or ".." in place.parts:
            raise BrokenBackend(f"{path}: source {source['path']!r} leaves its folder")
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(source["content"], encoding="utf-8")
    if not (folder / entry).is_file():
        raise BrokenBackend(f"{path}: entry point {entry!r} is none of its sources")
    return folder / entry


def _calling(function: Callable[..., object], definition: Named, *, passed: bool) -> Call:
    """passed: whether it writes outputs that it is given; they hold nan, which shows if not."""
    names = definition.get("outputs", {})

    def call(given: Named, numbers: Named) -> object:
        with torch.no_grad():
            if passed:
                outputs = [_like(each, definition, given) for each in names.values()]
                function(*given.values(), *outputs)
                return outputs
            returned = function(*given.values())
        by_name = isinstance(returned, Mapping) and names
        return [returned.get(name) for name in names] if by_name else returned  # type: ignore[attr-defined]

    return call


def _like(output: Named, definition: Named, given: Named) -> torch.Tensor:
    """A tensor for an output, of the shape of an input that has its axes."""
    alike = [name for name, x in definition["inputs"].items() if x["shape"] == output["shape"]]
    tensors = [x for x in (given[name] for name in alike) if isinstance(x, torch.Tensor)]
    if not tensors:
        raise BrokenBackend(f"an output of axes {output['shape']} is like none of the inputs")
    return torch.full_like(tensors[0], torch.nan)


def _example(told: Named, axes: Mapping[str, Named]) -> object:
    """A tensor or a number such as the definition asks for."""
    if told["shape"] is None:
        return _SCALARS.get(told["dtype"], 0.5)
    sizes = [int(axes[axis].get("value", _SIZE)) for axis in told["shape"]]
    # Only its rank and its kind are looked at.
    return torch.zeros([min(size, _SIZE) for size in sizes], dtype=getattr(torch, told["dtype"]))
