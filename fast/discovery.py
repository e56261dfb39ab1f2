"""Finds a backend by name, dotted path or file, and checks what it declares.

Over 300 lines, a third of them what is said of a wrong declaration.
"""

import ctypes.util
import dataclasses
import difflib
import importlib.metadata
import importlib.util
import inspect
import itertools
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import get_args

from truestep.fast import peers
from truestep.fast.protocol import (
    CLASSES,
    METHODS,
    OFFERS,
    Backend,
    BackendUnavailable,
    Capability,
    Level,
    LifeCapability,
    OptimizerCapability,
    QuantizerCapability,
    ScheduleCapability,
    Shapes,
    Storage,
    numpy_dtype,
)
from truestep.fast.wrapped import specs
from truestep.reference import own
from truestep.reference.importing import from_file, in_a_line
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.packing import PACKINGS, of_format
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.schedules import SCHEDULES
from truestep.reference.storages import STORAGES
from truestep.reference.tables import RULES

ENTRY_POINT_GROUP = "truestep.backends"
LEVELS: tuple[str, ...] = get_args(Level)

# What this repository offers besides its folders of libraries: where it is, and what it needs.
OURS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cpu": ("truestep.fast.ours.cpu:Backend", ("truestep.fast._core",)),
    "cuda": ("truestep.fast.ours.cuda:Backend", ("cupy",)),
    "cuda_on_cpu": ("truestep.fast.ours.cuda_on_cpu:Backend", ()),
    "reference": ("truestep.fast.reference_backend:Backend", ()),
}


class UnknownBackend(ValueError):
    """No backend of that name, module, file or attribute exists."""


class BrokenBackend(ValueError):
    """A backend was found, but it cannot be imported or built, or what it declares is wrong."""


def require_optimizer(name: str) -> None:
    """Raise BrokenBackend, with the nearest one, where no optimizer rule has this name."""
    own.find(name)
    if name not in OPTIMIZERS:
        raise BrokenBackend(
            f"no optimizer rule {name!r}{_near(name, OPTIMIZERS)}; "
            "`truestep list optimizers` shows them"
        )


def builtin() -> dict[str, str]:
    """Every backend of this repository: name to "module:Name".

    A library is a folder of fast/peers: its backend.py defines Backend, and its __init__.py names
    in REQUIRES the modules without which it cannot run. Works from a source tree too, where no
    entry point is registered.
    """
    libraries = (module.name for module in pkgutil.iter_modules(peers.__path__) if module.ispkg)
    return {
        **{name: target for name, (target, _) in OURS.items()},
        **{name: f"{peers.__name__}.{name}.backend:Backend" for name in libraries},
    }


def load(spec: str) -> Backend:
    """The backend that spec names: an instance whose declarations have been checked.

    spec: a name of builtin() or of the entry-point group, "package.module:Name", or "file.py:Name"
    (":Name" may be left out where the module defines exactly one class with capabilities()). Name
    may be an instance, a class, or a factory; the last two are called without arguments.
    What has no adapter is wrapped: "torch:package.module:Name@rule", see fast/wrapped/specs.py;
    submissions to published tasks are "submission:PATH@rule,field=value".
    Raises UnknownBackend, BrokenBackend, or BackendUnavailable: where the backend itself says so,
    or an adapter of fast/peers imports what is not installed.
    """
    if asked := specs.parsed(spec):
        return check(_wrapped(spec, asked), spec)
    if (kind := spec.partition(":")[0]) != spec and kind in specs.WRAPS:
        raise UnknownBackend(f"{spec!r}: what is wrapped is written as {specs.form(kind)}")
    found = _named(spec, _targets().get(spec, spec))
    if inspect.isclass(found) or not hasattr(found, "capabilities"):
        if not callable(found):
            raise BrokenBackend(f"{spec}: neither a backend, a class nor a factory: {found!r}")
        with _blamed(spec, f"calling {found!r} raised"):
            found = found()
    return check(found, spec)


def _wrapped(spec: str, asked: specs.Spec) -> object:
    """The backend of what has no adapter."""
    library, module = specs.WRAPS[asked.kind]
    if importlib.util.find_spec(library) is None:
        raise BackendUnavailable(f"{library} is not installed")
    try:
        options = asked.options()
    except ValueError as error:
        raise BrokenBackend(f"{spec}: {error}") from None
    if asked.kind not in specs.UNNAMED:
        # Before a library is loaded, which takes seconds.
        if asked.rule:
            require_optimizer(asked.rule)
        _sought(spec, _split(asked.target)[0])
    with _blamed(spec, "wrapping it raised"):
        # It may choose what the library runs on, before anything imports that.
        wraps = importlib.import_module(f"{specs.__package__}.{module}")
    found = asked.target if asked.kind in specs.UNNAMED else _named(spec, asked.target)
    with _blamed(spec, "wrapping it raised"):
        given = {"options": options} if options else {}
        return wraps.wrapped(found, asked.rule or None, **given)


def _named(spec: str, target: str) -> object:
    """What stands under a target's name in its module or file."""
    path, name = _split(target)
    if Path(path).is_dir() and not path.isidentifier():
        raise UnknownBackend(f"{spec}: {path} is a folder; give a file of it: file.py:Name")
    if path.endswith(".py"):
        module = _import_file(spec, Path(path))
    elif name or "." in path:
        module = _import_module(spec, path)
    else:
        raise UnknownBackend(
            f"unknown backend {spec!r}{_near(spec, _targets())}; known: "
            f"{', '.join(sorted(_targets()))}; or give package.module:Name or file.py:Name"
        )
    return _attribute(spec, module, name)


def available() -> dict[str, str]:
    """Every known name: "" where it can be loaded here, else the reason why it is not run.

    Looks for modules without importing them, so a name marked loadable can still raise
    BackendUnavailable when its library is installed but broken.
    """
    return {name: _obstacle(name, target) for name, target in sorted(_targets().items())}


def check(backend: object, spec: str) -> Backend:
    """The backend; BrokenBackend unless it has a name, its methods and valid capabilities."""
    name = getattr(backend, "name", None)
    if not isinstance(name, str) or not name:
        raise BrokenBackend(f"{spec}: name must be a non-empty string, got {name!r}")
    if not callable(offered := getattr(backend, "capabilities", None)):
        raise BrokenBackend(f"{spec}: {type(backend).__name__} has no method capabilities()")
    with _blamed(spec, "capabilities() raised"):
        capabilities = tuple(offered())
    if not capabilities:
        raise BrokenBackend(f"{spec}: capabilities() is empty, so there is nothing to judge")
    seen: set[tuple[str, ...]] = set()
    for index, capability in enumerate(capabilities):
        where = f"{spec}: capability {index}"
        try:
            _check_capability(where, capability)
        except own.BrokenRule as error:
            raise BrokenBackend(f"{where}: {error}") from None
        key = (capability.kind, capability.rule, capability.format, capability.variant)
        if key in seen:
            raise BrokenBackend(
                f"{where}: {'/'.join(filter(None, key))} is listed twice; give the "
                "dialects of one rule different variants"
            )
        seen.add(key)
    missing = [
        f"{method} (kind {kind!r})"
        for kind in sorted({capability.kind for capability in capabilities})
        for method in METHODS[kind]
        if not callable(getattr(backend, method, None))
    ]
    if missing:
        raise BrokenBackend(f"{spec}: {type(backend).__name__} lacks {', '.join(missing)}")
    return backend  # type: ignore[return-value]  # every member has just been looked for


def _check_capability(where: str, capability: object) -> None:
    if not isinstance(capability, Capability):
        raise BrokenBackend(f"{where}: must be a Capability, got {capability!r}")
    kind, name = capability.kind, capability.rule
    _require(where, "kind", kind, METHODS)
    if not isinstance(capability, CLASSES[kind]):
        wanted, got = CLASSES[kind].__name__, type(capability).__name__
        raise BrokenBackend(f"{where}: kind {kind!r} is declared by {wanted}, got a {got}")
    _require(where, "level", capability.level, LEVELS)
    _require_rule(where, kind, name)
    where, rule = f"{where} ({name})", RULES[kind][name]
    try:
        numpy_dtype(capability.format)
    except ValueError as error:
        raise BrokenBackend(f"{where}: {error}") from None
    for field, value in capability.dialect.items():
        _require(where, "dialect field", field, rule.DIALECTS)
        _require(where, f"dialect {field}", value, rule.DIALECTS[field])
    for declared in ("departures", "documented"):
        if not isinstance(fields := getattr(capability, declared), tuple):
            raise BrokenBackend(f"{where}: {declared} must be a tuple of names, got {fields!r}")
        for field in fields:
            _require(where, "departure", field, capability.dialect)
    for field, held in capability.fixed.items():
        _require(where, "fixed hyperparameter", field, rule.Hyper.RANGES)
        try:
            for each in held if isinstance(held, tuple) else (held,):
                rule.Hyper.RANGES[field].check(field, each)
        except (TypeError, ValueError) as error:
            raise BrokenBackend(f"{where}: fixed: {error}") from None
    _require(where, "shapes", getattr(capability, "shapes", "any"), get_args(Shapes))
    for offered in capability.offers if isinstance(capability, LifeCapability) else ():
        _require(where, "offer", offered, OFFERS)
    recursive = isinstance(capability, ScheduleCapability) and capability.recursive
    if recursive and SCHEDULES[capability.rule].advance is None:
        raise BrokenBackend(f"{where}: recursive, but the reference has no recursive form of it")
    if isinstance(capability, QuantizerCapability):
        _check_random_bits(where, capability.random_bits)
        if capability.packing:
            _check_packing(where, capability)
    if isinstance(capability, OptimizerCapability):
        for field, storage in capability.storage.items():
            _require(where, "stored tensor", field, [*_fields(OPTIMIZERS[name].State), "p"])
            _check_storage(f"{where}: storage of {field!r}", storage)
        if "p" in capability.storage and capability.format != "bfloat16":
            raise BrokenBackend(f"{where}: a parameter in two parts needs the format bfloat16")


def _require_rule(where: str, kind: str, name: str) -> None:
    own.find(name)
    known = any(name in rules for rules in RULES.values())
    hint = "" if known else "; a rule of your own is named by --rules"
    _require(where, f"{kind} rule", name, RULES[kind], hint)


def _check_random_bits(where: str, bits: object) -> None:
    if not isinstance(bits, int) or not 0 <= bits <= 64:
        raise BrokenBackend(f"{where}: random_bits must be an integer in [0, 64], got {bits!r}")


def _check_packing(where: str, capability: QuantizerCapability) -> None:
    _require(where, "packing", capability.packing, PACKINGS)
    held, (bits, _) = PACKINGS[capability.packing].bits, of_format(QUANTIZERS[capability.rule])
    if held not in (0, bits):
        told = f"packing {capability.packing!r} is of {held} bits, codes have {bits}"
        raise BrokenBackend(f"{where}: {told}")


def _check_storage(where: str, storage: Storage) -> None:
    own.find(storage.quantizer)
    _require(where, "quantizer", storage.quantizer, STORAGES)
    choices = [x if isinstance(x, tuple) else (x,) for x in storage.hyper.values()]
    for values in itertools.product(*choices):
        try:
            STORAGES[storage.quantizer].Hyper(**dict(zip(storage.hyper, values, strict=True)))
        except (TypeError, ValueError) as error:
            raise BrokenBackend(f"{where}: {storage.quantizer}: {error}") from None


def _fields(record: type) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


def _require(where: str, what: str, value: str, allowed: Iterable[str], hint: str = "") -> None:
    if value not in (names := sorted(allowed)):
        listed = ", ".join(names) or "none"
        near = _near(value, names)
        raise BrokenBackend(f"{where}: {what} {value!r} is not one of: {listed}{near}{hint}")


def _near(value: object, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(value), list(names), n=3)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def _targets() -> dict[str, str]:
    points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {**{point.name: point.value for point in points}, **builtin()}


def _split(target: str) -> tuple[str, str]:
    # The last colon: a Windows path has one of its own.
    if target.endswith(".py"):
        return target, ""
    path, _, name = target.rpartition(":")
    return (path, name) if path else (name, "")


def file_of(spec: str) -> Path | None:
    """The file that a spec names, if it is one of a file."""
    asked = specs.parsed(spec)
    path = _split(asked.target if asked else spec)[0]
    return Path(path) if path.endswith(".py") else None


@contextmanager
def _blamed(spec: str, what: str) -> Iterator[None]:
    """Whatever a backend raises within is BrokenBackend, in a line that says where."""
    try:
        yield
    except (BackendUnavailable, BrokenBackend, UnknownBackend):
        raise
    except (Exception, SystemExit) as error:
        raise BrokenBackend(f"{spec}: {what} {in_a_line(error)}") from error


def _sought(spec: str, home: str) -> None:
    """Refuse a file or package that is not there, before a library takes seconds to load."""
    if home.endswith(".py"):
        _existing(spec, Path(home))
    elif home and not home.startswith("."):
        package = home.partition(".")[0]
        if package not in sys.modules and importlib.util.find_spec(package) is None:
            raise UnknownBackend(f"{spec}: no module named {package!r}")


def _existing(spec: str, path: Path) -> None:
    if not path.is_file():
        raise UnknownBackend(f"{spec}: no such file: {path}")


def _import_file(spec: str, path: Path) -> ModuleType:
    _existing(spec, path)
    # As for a script: what lies beside an adapter can be imported by it, now and later.
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.insert(0, folder)
    with _blamed(spec, f"executing {path} raised"):
        return from_file(path, f"truestep_backend_{path.stem}")


def _import_module(spec: str, path: str) -> ModuleType:
    with _blamed(spec, f"importing {path} raised"):
        try:
            return importlib.import_module(path)
        except ImportError as error:
            absent = error.name if isinstance(error, ModuleNotFoundError) else None
            # path itself, or a package above it; what an adapter imports is another matter.
            if absent and f"{path}.".startswith(f"{absent}."):
                told = f"{spec}: no module named {absent!r}"
                if not specs.parsed(spec):
                    known = sorted(_targets())
                    told += f"{_near(spec, known)}; known names: {', '.join(known)}"
                raise UnknownBackend(told) from None
            ours = (error.name or "").startswith("truestep.")
            if path.startswith(f"{peers.__name__}.") and not ours:
                reason = f"{absent} is not installed" if absent else str(error)
                raise BackendUnavailable(reason) from error
            raise


def _attribute(spec: str, module: ModuleType, name: str) -> object:
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
        listed = ", ".join(sorted(c.__name__ for c in candidates)) or "none"
        raise UnknownBackend(
            f"{spec}: give a name after a colon; classes with capabilities() in it: {listed}"
        )
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [key for key in vars(module) if not key.startswith("_")]
            raise UnknownBackend(
                f"{spec}: {module.__name__} has no attribute {name!r}{_near(name, public)}"
            )
        found = getattr(found, part)
    return found


def _obstacle(name: str, target: str) -> str:
    module = _split(target)[0]
    if name in OURS:
        needed = (*OURS[name][1], module)
    elif module.startswith(f"{peers.__name__}."):
        needed = (*importlib.import_module(module.rpartition(".")[0]).REQUIRES, module)
    else:
        # Below the top level find_spec imports the parent: cheap for ours, unknown for others.
        needed = (module.partition(".")[0],)
    for each in needed:
        try:
            found = importlib.util.find_spec(each)
        except (ImportError, ValueError):
            found = None
        if found is None:
            return f"{each} is not installed"
    if name == "cuda" and not any(map(ctypes.util.find_library, ("cuda", "nvcuda"))):
        return "no CUDA driver (libcuda) on this machine"
    return ""
