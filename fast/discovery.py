"""Loads a backend that has been located, and checks what it declares."""

import ctypes.util
import dataclasses
import importlib
import importlib.util
import itertools
from collections.abc import Iterable
from typing import get_args

from truestep.fast import peers
from truestep.fast.locating import (
    ENTRY_POINT_GROUP,
    OURS,
    BrokenBackend,
    Located,
    UnknownBackend,
    blamed,
    builtin,
    file_of,
    located,
    made,
    near,
    require_optimizer,
    split,
    targets,
)
from truestep.fast.protocol import (
    CLASSES,
    METHODS,
    OFFERS,
    Backend,
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
from truestep.reference import own
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.packing import PACKINGS, of_format
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.schedules import SCHEDULES
from truestep.reference.storages import STORAGES
from truestep.reference.tables import RULES

__all__ = [
    "ENTRY_POINT_GROUP",
    "LEVELS",
    "OURS",
    "BrokenBackend",
    "UnknownBackend",
    "available",
    "builtin",
    "check",
    "file_of",
    "load",
    "loaded",
    "require_optimizer",
]

LEVELS: tuple[str, ...] = get_args(Level)


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
    return loaded(located(spec))


def loaded(found: Located) -> Backend:
    """The backend that has been located; raises as load does."""
    return check(made(found), found.spec)


def available() -> dict[str, str]:
    """Every known name: "" where it can be loaded here, else the reason why it is not run.

    Looks for modules without importing them, so a name marked loadable can still raise
    BackendUnavailable when its library is installed but broken.
    """
    return {name: _obstacle(name, target) for name, target in sorted(targets().items())}


def check(backend: object, spec: str) -> Backend:
    """The backend; BrokenBackend unless it has a name, its methods and valid capabilities."""
    name = getattr(backend, "name", None)
    if not isinstance(name, str) or not name:
        raise BrokenBackend(f"{spec}: name must be a non-empty string, got {name!r}")
    if not callable(offered := getattr(backend, "capabilities", None)):
        raise BrokenBackend(f"{spec}: {type(backend).__name__} has no method capabilities()")
    with blamed(spec, "capabilities() raised"):
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
        told = f"{what} {value!r} is not one of: {listed}{near(value, names)}{hint}"
        raise BrokenBackend(f"{where}: {told}")


def _obstacle(name: str, target: str) -> str:
    module = split(target)[0]
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
