"""Finds a backend by name, dotted path or file, and checks what it declares."""

from __future__ import annotations

import ctypes.util
import dataclasses
import difflib
import importlib
import importlib.metadata
import importlib.util
import inspect
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from truestep.fast.protocol import BackendUnavailable, Capability, numpy_dtype

ENTRY_POINT_GROUP = "truestep.backends"

# Works from a source tree too, where no entry point is registered.
BUILTIN: dict[str, str] = {
    "adam_mini": "truestep.fast.peers.torch_library_peers:AdamMini",
    "adan_pytorch": "truestep.fast.peers.torch_library_peers:AdanPytorch",
    "apollo_torch": "truestep.fast.peers.apollo_torch.backend:Backend",
    "bitsandbytes": "truestep.fast.peers.bitsandbytes.backend:Backend",
    "came_pytorch": "truestep.fast.peers.torch_library_peers:CamePytorch",
    "cpu": "truestep.fast.ours.cpu:Backend",
    "cuda": "truestep.fast.ours.cuda:Backend",
    "cuda_on_cpu": "truestep.fast.ours.cuda_on_cpu:Backend",
    "galore_torch": "truestep.fast.peers.galore_torch.backend:Backend",
    "heavyball": "truestep.fast.peers.heavyball.backend:Backend",
    "keras": "truestep.fast.peers.keras.backend:Backend",
    "lion_pytorch": "truestep.fast.peers.lion_pytorch.backend:Backend",
    "lomo_optim": "truestep.fast.peers.lomo_optim.backend:Backend",
    "ml_dtypes": "truestep.fast.peers.torch.casts:MlDtypesCasts",
    "mup": "truestep.fast.peers.mup.backend:Backend",
    "optax": "truestep.fast.peers.optax.backend:Backend",
    "padasip": "truestep.fast.peers.padasip.backend:Backend",
    "prodigyopt": "truestep.fast.peers.torch_library_peers:Prodigyopt",
    "pytorch_optimizer": "truestep.fast.peers.pytorch_optimizer.backend:Backend",
    "reference": "truestep.properties.run.reference_backend:Backend",
    "schedulefree": "truestep.fast.peers.schedulefree.backend:Backend",
    "torch": "truestep.fast.peers.torch.backend:Backend",
    "torch_optimi": "truestep.fast.peers.torch_library_peers:TorchOptimi",
    "torch_optimizer": "truestep.fast.peers.torch_library_peers:TorchOptimizer",
    "torchao": "truestep.fast.peers.torchao.backend:Backend",
    "transformers": "truestep.fast.peers.transformers.backend:Backend",
}

# Modules without which a builtin cannot run; only looked for, never imported, by available().
REQUIRES: dict[str, tuple[str, ...]] = {
    "adam_mini": ("torch", "adam_mini"),
    "adan_pytorch": ("torch", "adan_pytorch"),
    "apollo_torch": ("torch", "apollo_torch"),
    "bitsandbytes": ("torch", "bitsandbytes"),
    "came_pytorch": ("torch", "came_pytorch"),
    "cpu": ("truestep.fast._core",),
    "cuda": ("cupy",),
    "cuda_on_cpu": (),
    "galore_torch": ("torch", "galore_torch"),
    "heavyball": ("torch", "heavyball"),
    "keras": ("torch", "keras"),
    "lion_pytorch": ("torch", "lion_pytorch"),
    "lomo_optim": ("torch", "lomo_optim"),
    "ml_dtypes": ("ml_dtypes",),
    "mup": ("torch", "mup"),
    "optax": ("jax", "optax"),
    "padasip": ("padasip",),
    "prodigyopt": ("torch", "prodigyopt"),
    "pytorch_optimizer": ("torch", "pytorch_optimizer"),
    "reference": (),
    "schedulefree": ("torch", "schedulefree"),
    "torch": ("torch",),
    "torch_optimi": ("torch", "optimi"),
    "torch_optimizer": ("torch", "torch_optimizer"),
    "torchao": ("torch", "torchao"),
    "transformers": ("torch", "transformers"),
}

METHODS: dict[str, tuple[str, ...]] = {
    "minimizer": ("minimizer_step",),
    "optimizer": ("optimizer_step",),
    "quantizer": ("encode", "decode"),
    "schedule": ("schedule_values",),
    "training": ("training_piece",),
}

LEVELS = ("smoke", "standard", "deep")

_TRACEBACK_LINES = 6


class UnknownBackend(ValueError):
    """No backend of that name, module, file or attribute exists."""


class BrokenBackend(ValueError):
    """A backend was found, but it cannot be imported or built, or what it declares is wrong."""


def load(spec: str) -> Any:
    """The backend that spec names: an instance whose declarations have been checked.

    spec: a name of BUILTIN or of the entry-point group, "package.module:Name", or "file.py:Name"
    (":Name" may be left out where the module defines exactly one class with capabilities()). Name
    may be an instance, a class, or a factory; the last two are called without arguments.
    Raises UnknownBackend, BrokenBackend, or BackendUnavailable (from the backend itself).
    """
    target = BUILTIN.get(spec) or _entry_points().get(spec) or spec
    path, name = _split(target)
    if path.endswith(".py"):
        module = _import_file(spec, Path(path))
    elif name or "." in path:
        module = _import_module(spec, path)
    else:
        raise UnknownBackend(
            f"unknown backend {spec!r}{_near(spec, _names())}; known: {', '.join(_names())}; "
            "or give package.module:Name or file.py:Name"
        )
    backend = _instance(spec, _attribute(spec, module, name))
    check(backend, spec)
    return backend


def available() -> dict[str, str]:
    """Every known name: "" where it can be loaded here, else the reason why it is not run.

    Looks for modules without importing them, so a name marked loadable can still raise
    BackendUnavailable when its library is installed but broken.
    """
    targets = {**_entry_points(), **BUILTIN}
    return {name: _obstacle(name, targets[name]) for name in sorted(targets)}


def check(backend: Any, spec: str) -> None:
    """Raise BrokenBackend unless backend has a name, its methods and valid capabilities."""
    name = getattr(backend, "name", None)
    if not isinstance(name, str) or not name:
        raise BrokenBackend(f"{spec}: name must be a non-empty string, got {name!r}")
    if not callable(getattr(backend, "capabilities", None)):
        raise BrokenBackend(f"{spec}: {type(backend).__name__} has no method capabilities()")
    try:
        capabilities = tuple(backend.capabilities())
    except BackendUnavailable:
        raise
    except Exception as error:
        raise _broken(spec, "capabilities() raised", error) from error
    if not capabilities:
        raise BrokenBackend(f"{spec}: capabilities() is empty, so there is nothing to judge")
    seen: set[tuple[str, ...]] = set()
    for index, capability in enumerate(capabilities):
        where = f"{spec}: capability {index}"
        _check_capability(where, capability)
        key = (capability.kind, capability.rule, capability.format, capability.variant)
        if key in seen:
            raise BrokenBackend(
                f"{where}: {'/'.join(filter(None, key))} is listed twice; give the "
                "dialects of one rule different variants"
            )
        seen.add(key)
    kinds = {capability.kind for capability in capabilities}
    missing = [
        f"{method} (kind {kind!r})"
        for kind in sorted(kinds)
        for method in METHODS[kind]
        if not callable(getattr(backend, method, None))
    ]
    if missing:
        raise BrokenBackend(f"{spec}: {type(backend).__name__} lacks {', '.join(missing)}")


def _check_capability(where: str, capability: Any) -> None:
    if not isinstance(capability, Capability):
        raise BrokenBackend(f"{where}: must be a Capability, got {capability!r}")
    if capability.kind not in METHODS:
        raise _bad(where, "kind", capability.kind, METHODS)
    if capability.level not in LEVELS:
        raise _bad(where, "level", capability.level, LEVELS)
    rules = rule_table(capability.kind)
    if capability.rule not in rules:
        raise _bad(where, f"{capability.kind} rule", capability.rule, rules)
    where = f"{where} ({capability.rule})"
    try:
        numpy_dtype(capability.format)
    except ValueError as error:
        raise BrokenBackend(f"{where}: {error}") from None
    rule = rules[capability.rule]
    dialects: Mapping[str, Any] = getattr(rule, "DIALECTS", {})
    for field, value in capability.dialect.items():
        if field not in dialects:
            raise _bad(where, "dialect field", field, dialects)
        if value not in dialects[field]:
            raise _bad(where, f"dialect {field}", value, dialects[field])
    if getattr(capability, "recursive", False) and rule.ADVANCE is None:
        raise BrokenBackend(f"{where}: recursive, but the reference has no recursive form of it")
    hyper = getattr(rule, "Hyper", None)
    fields = {field.name for field in dataclasses.fields(hyper)} if hyper else set()
    for field in capability.fixed:
        if field not in fields:
            raise _bad(where, "fixed hyperparameter", field, fields)


def rule_table(kind: str) -> Mapping[str, Any]:
    """The reference's table of rules of a kind: name to module."""
    if kind == "minimizer":
        functions: Mapping[str, Any] = importlib.import_module(
            "truestep.reference.optimizers"
        ).FROM_FUNCTION
        return functions
    name = kind if kind == "training" else f"{kind}s"
    package = importlib.import_module(f"truestep.reference.{name}")
    table: Mapping[str, Any] = getattr(package, name.upper())
    return table


def _bad(
    where: str, what: str, value: Any, allowed: Sequence[str] | Mapping[str, Any] | set[str]
) -> BrokenBackend:
    names = sorted(allowed)
    listed = ", ".join(names) if names else "none"
    return BrokenBackend(f"{where}: {what} {value!r} is not one of: {listed}{_near(value, names)}")


def _near(value: Any, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(value), names, n=3)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def _names() -> list[str]:
    return sorted({*BUILTIN, *_entry_points()})


def _entry_points() -> dict[str, str]:
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {point.name: point.value for point in found}


def _split(target: str) -> tuple[str, str]:
    # The last colon: a Windows path has one of its own.
    if target.endswith(".py"):
        return target, ""
    path, _, name = target.rpartition(":")
    return (path, name) if path else (name, "")


def _import_file(spec: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise UnknownBackend(f"{spec}: no such file: {path}")
    location = importlib.util.spec_from_file_location(f"truestep_backend_{path.stem}", path)
    if location is None or location.loader is None:
        raise UnknownBackend(f"{spec}: {path} cannot be read as a Python module")
    module = importlib.util.module_from_spec(location)
    try:
        location.loader.exec_module(module)
    except BackendUnavailable:
        raise
    except (Exception, SystemExit) as error:
        raise _broken(spec, f"executing {path} raised", error) from error
    return module


def _import_module(spec: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except BackendUnavailable:
        raise
    except ModuleNotFoundError as error:
        # Only when path itself, or a package above it, is what was not found; a library that the
        # adapter imports is the adapter's fault or the machine's, and keeps its traceback.
        if error.name is None or not (path == error.name or path.startswith(f"{error.name}.")):
            raise _broken(spec, f"importing {path} raised", error) from error
        raise UnknownBackend(
            f"{spec}: no module named {error.name!r}{_near(spec, _names())}; known names: "
            f"{', '.join(_names())}"
        ) from None
    except (Exception, SystemExit) as error:
        raise _broken(spec, f"importing {path} raised", error) from error


def _attribute(spec: str, module: ModuleType, name: str) -> Any:
    if not name:
        candidates = [
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and value.__module__ == module.__name__
            and callable(getattr(value, "capabilities", None))
        ]
        if len(candidates) == 1:
            return candidates[0]
        found = ", ".join(sorted(c.__name__ for c in candidates)) or "none"
        raise UnknownBackend(
            f"{spec}: give a name after a colon; classes with capabilities() in it: {found}"
        )
    found_object: Any = module
    for part in name.split("."):
        if not hasattr(found_object, part):
            public = [key for key in vars(module) if not key.startswith("_")]
            raise UnknownBackend(
                f"{spec}: {module.__name__} has no attribute {name!r}{_near(name, public)}"
            )
        found_object = getattr(found_object, part)
    return found_object


def _instance(spec: str, found: Any) -> Any:
    is_instance = not inspect.isclass(found) and hasattr(found, "capabilities")
    if is_instance:
        return found
    if not callable(found):
        raise BrokenBackend(f"{spec}: neither a backend, a class nor a factory: {found!r}")
    try:
        return found()
    except BackendUnavailable:
        raise
    except (Exception, SystemExit) as error:
        raise _broken(spec, f"calling {found!r} raised", error) from error


def _broken(spec: str, what: str, error: BaseException) -> BrokenBackend:
    lines = "".join(traceback.format_exception(error)).strip().splitlines()
    return BrokenBackend("\n".join([f"{spec}: {what}:", *lines[-_TRACEBACK_LINES:]]))


def _obstacle(name: str, target: str) -> str:
    module = _split(target)[0]
    # Above the top level find_spec imports the parent: cheap for ours, unknown for others.
    ours = name in BUILTIN
    for needed in (*REQUIRES.get(name, ()), module if ours else module.partition(".")[0]):
        try:
            found = importlib.util.find_spec(needed)
        except (ImportError, ValueError):
            found = None
        if found is None:
            return f"{needed} is not installed"
    if name == "cuda" and not (
        ctypes.util.find_library("cuda") or ctypes.util.find_library("nvcuda")
    ):
        return "no CUDA driver (libcuda) on this machine"
    return ""
