"""Finds what a backend's name, dotted path or file stands for, without loading what judges it.

Whatever can be seen to be wrong before the rules are loaded is refused here, in a moment.
"""

import difflib
import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from truestep.fast import peers
from truestep.fast.protocol import BackendUnavailable
from truestep.fast.wrapped import specs
from truestep.reference.importing import from_file, in_a_line

ENTRY_POINT_GROUP = "truestep.backends"

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


@dataclass(frozen=True, slots=True)
class Located:
    """What a spec names: found, or what is to be wrapped, as module's `wrapped` takes it.

    module: of ours; "" where nothing is wrapped. rule: that it is judged as, where it is given.
    given: what else `wrapped` takes, by name.
    """

    spec: str
    found: object
    module: str = ""
    rule: str | None = None
    given: Mapping[str, object] = field(default_factory=dict)


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


def located(spec: str) -> Located:
    """What spec names, imported; raises what discovery.load raises."""
    if asked := specs.parsed(spec):
        return _wrapped(spec, asked)
    if (kind := spec.partition(":")[0]) != spec and kind in specs.WRAPS:
        raise UnknownBackend(f"{spec!r}: what is wrapped is written as {specs.form(kind)}")
    return Located(spec, _named(spec, targets().get(spec, spec)))


def require_optimizer(name: str) -> None:
    """Raise BrokenBackend, with the nearest one, where no optimizer rule has this name."""
    from truestep.reference import own  # with every rule
    from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS

    own.find(name)
    if name in FROM_FUNCTION:
        raise BrokenBackend(
            f"{name} is a minimizer: it evaluates the function itself, and is handed no gradient; "
            "it is judged of a backend that declares a MinimizerCapability"
        )
    if name not in OPTIMIZERS:
        raise BrokenBackend(
            f"no optimizer rule {name!r}{near(name, OPTIMIZERS)}; "
            "`truestep list optimizers` shows them"
        )


def _wrapped(spec: str, asked: specs.Spec) -> Located:
    """What has no adapter, as it is wrapped."""
    wrap = specs.WRAPS[asked.kind]
    if importlib.util.find_spec(wrap.library) is None:
        raise BackendUnavailable(f"{wrap.library} is not installed")
    try:
        options = asked.options()
    except ValueError as error:
        raise BrokenBackend(f"{spec}: {error}") from None
    rule, found = asked.rule or None, object()
    if asked.kind in specs.UNNAMED:
        found = asked.target
    else:
        # Before a library is loaded, which takes seconds.
        if rule:
            require_optimizer(rule)
        _sought(spec, split(asked.target)[0])
        first = _ours(spec, wrap.first) if wrap.first else None
        found = _named(spec, asked.target)
        if first is not None:
            with blamed(spec, "wrapping it raised"):
                found = first.looked_at(found, rule, options)
    return Located(spec, found, wrap.module, rule, {"options": options} if options else {})


def _ours(spec: str, module: str) -> ModuleType:
    """Our module for what is wrapped, which imports a library."""
    with blamed(spec, "wrapping it raised"):
        return importlib.import_module(f"{specs.__package__}.{module}")


def made(found: Located) -> object:
    """What was located, or the instance that its class or factory makes, or what wraps it."""
    if found.module:
        module = _ours(found.spec, found.module)
        with blamed(found.spec, "wrapping it raised"):
            wrapped: object = module.wrapped(found.found, found.rule, **found.given)
            return wrapped
    if not inspect.isclass(found.found) and hasattr(found.found, "capabilities"):
        return found.found
    if not callable(found.found):
        told = f"{found.spec}: neither a backend, a class nor a factory: {found.found!r}"
        raise BrokenBackend(told)
    with blamed(found.spec, f"calling {found.found!r} raised"):
        return found.found()


def _named(spec: str, target: str) -> object:
    """What stands under a target's name in its module or file."""
    path, name = split(target)
    if Path(path).is_dir() and not path.isidentifier():
        raise UnknownBackend(f"{spec}: {path} is a folder; give a file of it: file.py:Name")
    if path.endswith(".py"):
        module = _import_file(spec, Path(path))
    elif name or "." in path:
        module = _import_module(spec, path)
    else:
        raise UnknownBackend(
            f"unknown backend {spec!r}{near(spec, targets())}; known: "
            f"{', '.join(sorted(targets()))}; or give package.module:Name or file.py:Name"
        )
    return _attribute(spec, module, name)


def file_of(spec: str) -> Path | None:
    """The file that a spec names, if it is one of a file."""
    asked = specs.parsed(spec)
    path = split(asked.target if asked else spec)[0]
    return Path(path) if path.endswith(".py") else None


def near(value: object, names: Iterable[str]) -> str:
    """A question that names those which are like the value; "" where none is."""
    close = difflib.get_close_matches(str(value), list(names), n=3)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def targets() -> dict[str, str]:
    """Every backend that goes by a name: name to "module:Name"."""
    points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {**{point.name: point.value for point in points}, **builtin()}


def split(target: str) -> tuple[str, str]:
    """The module or file, and the name in it; "" where none is given."""
    # The last colon: a Windows path has one of its own.
    if target.endswith(".py"):
        return target, ""
    path, _, name = target.rpartition(":")
    return (path, name) if path else (name, "")


@contextmanager
def blamed(spec: str, what: str) -> Iterator[None]:
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
    with blamed(spec, f"executing {path} raised"):
        return from_file(path, f"truestep_backend_{path.stem}")


def _import_module(spec: str, path: str) -> ModuleType:
    with blamed(spec, f"importing {path} raised"):
        try:
            return importlib.import_module(path)
        except ImportError as error:
            absent = error.name if isinstance(error, ModuleNotFoundError) else None
            # path itself, or a package above it; what an adapter imports is another matter.
            if absent and f"{path}.".startswith(f"{absent}."):
                told = f"{spec}: no module named {absent!r}"
                if not specs.parsed(spec):
                    known = sorted(targets())
                    told += f"{near(spec, known)}; known names: {', '.join(known)}"
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
                f"{spec}: {module.__name__} has no attribute {name!r}{near(name, public)}"
            )
        found = getattr(found, part)
    return found
