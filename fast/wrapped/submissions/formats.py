"""Which collection of tasks a path belongs to, found without running anything of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from truestep.fast.locating import BrokenBackend, UnknownBackend
from truestep.fast.wrapped.submissions.task import defined, tree_of

Format = Literal["flashinfer", "gpumode", "kernelbench"]
# Bytes of a file that may be a submission.
_LARGEST = 2**24

_WANTED = (
    "a KernelBench module has a class ModelNew or Model, a GPU MODE submission a function "
    "custom_kernel, a FlashInfer-Trace solution is JSON with spec and sources"
)


def found(path: Path) -> tuple[Format, Path]:
    """The collection and the submission's file; raises UnknownBackend where it is of none."""
    if path.is_dir():
        files = sorted(path.glob("*.py")) + sorted(path.glob("*.json"))
        kinds = [(kind, file) for file in files if (kind := _kind(file, new=True))]
        if len(kinds) == 1:
            return kinds[0]
        said = f"{len(kinds)} submissions are in it" if kinds else "no submission is in it"
        raise UnknownBackend(f"{path}: {said}; {_WANTED}")
    if not path.is_file():
        raise UnknownBackend(f"{path}: no such file or folder")
    kind = _kind(path, new=False)
    if kind is None:
        raise UnknownBackend(f"{path}: no submission; {_WANTED}")
    return kind, path


def _kind(file: Path, *, new: bool) -> Format | None:
    """new: whether a module without ModelNew is a task and no submission to it."""
    if file.stat().st_size > _LARGEST:
        raise BrokenBackend(f"{file}: {file.stat().st_size} bytes are no submission")
    if file.suffix == ".json":
        return "flashinfer" if _is_solution(file) else None
    if file.suffix != ".py":
        return None
    names = defined(tree_of(file))
    if "custom_kernel" in names:
        return "gpumode"
    return "kernelbench" if "ModelNew" in names or ("Model" in names and not new) else None


def _is_solution(file: Path) -> bool:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BrokenBackend(f"{file}: not JSON: {error}") from None
    return isinstance(content, dict) and {"spec", "sources"} <= content.keys()
