"""Rules of one's own: modules outside the package that stand in the tables beside ours.

Which kind a rule is of follows from what its module has: `step` of an optimizer, `value` of a
schedule, `encode` of a quantizer, and `ROW` of a format that is a row of facts. Its name is the
module's. From then on nothing tells it from ours.

A rule judges, so that loading one runs its code in the judge's process. What names a rule is the
caller (on the command line, in a test) or an installed package, under the entry points
`truestep.rules`; never a certificate, and never what a backend's process says.
"""

import hashlib
import importlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import cast

from truestep.reference.importing import from_file, in_a_line

ENTRY_POINT_GROUP = "truestep.rules"
# The package that modules of files lie in; there is no folder of that name.
PACKAGE = "truestep_rules"
# By what a module is recognized, and the kind that it is then of.
KINDS = {"step": "optimizer", "value": "schedule", "encode": "quantizer", "ROW": "quantizer"}


class BrokenRule(ValueError):
    """A rule cannot be loaded, or lacks something, or has a name that is taken; in one line."""


@dataclass(frozen=True, slots=True)
class Own:
    """A rule as it was found. spec: what loads it elsewhere. sha256: of its file."""

    name: str
    kind: str
    spec: str
    file: Path
    sha256: str

    def to_json(self) -> dict[str, str]:
        """What a certificate records of it."""
        told = self.file.name if self.spec.endswith(".py") else self.spec
        return {"name": self.name, "kind": self.kind, "spec": told, "sha256": self.sha256}


# The rules that this process has loaded, by name.
OWN: dict[str, Own] = {}


def specs() -> list[tuple[str, str]]:
    """What another process loads to have the same rules, each with its file's hash."""
    return [(rule.spec, rule.sha256) for rule in OWN.values()]


def load_same(rules: Iterable[Sequence[str]]) -> None:
    """Load the rules that another process has; BrokenRule where a file is another by now.

    A backend can write its user's files, and so that of the rule by which it is judged.
    """
    for spec, sha256 in rules:
        if spec.endswith(".py") and _digest(Path(spec)) != sha256:
            raise BrokenRule(f"{spec}: it has changed since the run began")
        _load(spec)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def load(*named: str) -> list[str]:
    """Load rules: "file.py" or "package.module"; their names. Raises BrokenRule."""
    return [_load(spec) for spec in named]


def _load(spec: str) -> str:
    try:
        if not spec.endswith(".py"):
            return added(importlib.import_module(spec), spec)
        path = Path(spec).resolve()
        if known := OWN.get(path.stem):
            return _again(known, path, spec)
        _require_free(path.stem, spec)
        # What lies beside a rule can be imported by it, behind all that is installed.
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
        package = sys.modules.setdefault(PACKAGE, ModuleType(PACKAGE))
        module = from_file(path, f"{PACKAGE}.{path.stem}")
        setattr(package, path.stem, module)
        return added(module, str(path))
    except BrokenRule:
        raise
    except FileNotFoundError as error:
        raise BrokenRule(f"{spec}: {error}") from None
    except ModuleNotFoundError as error:
        if error.name and f"{spec}.".startswith(f"{error.name}."):
            raise BrokenRule(f"{spec}: no module named {error.name!r}") from None
        raise BrokenRule(f"{spec}: loading it raised {in_a_line(error)}") from error
    except (Exception, SystemExit) as error:
        raise BrokenRule(f"{spec}: loading it raised {in_a_line(error)}") from error


def added(module: ModuleType, spec: str = "") -> str:
    """Put a rule's module into the table of its kind; its name. Raises BrokenRule.

    spec: what loads it in another process; by default its file, or its name in a package.
    """
    from truestep.reference.rules import CLASSES, complete
    from truestep.reference.storages import STORAGES
    from truestep.reference.tables import RULES

    name, told = module.__name__.rpartition(".")[2], spec or module.__name__
    if not getattr(module, "__file__", None):
        raise BrokenRule(f"{told}: a rule is a module with a file, got {module!r}")
    path = Path(str(module.__file__)).resolve()
    if known := OWN.get(name):
        return _again(known, path, told)
    _require_free(name, told)
    kind = next((kind for mark, kind in KINDS.items() if hasattr(module, mark)), "")
    if not kind:
        raise BrokenRule(f"{told}: it has none of {', '.join(KINDS)}, and so is no rule")
    rule = _format(name, module.ROW, told) if hasattr(module, "ROW") else module
    try:
        [made] = complete({name: rule}, CLASSES[kind]).values()
    except TypeError as error:
        raise BrokenRule(f"{told}: {error}") from None
    place = spec or (module.__name__ if "." in module.__name__ else str(path))
    OWN[name] = Own(name, kind, place, path, _digest(path))
    cast(dict[str, object], RULES[kind])[name] = made
    if kind == "quantizer" and getattr(made, "STORES", False):
        STORAGES[name] = made
    return name


def _format(name: str, row: object, told: str) -> object:
    """The format of a row, whose elements kernels hold in float32."""
    from truestep.reference.block_formats import BlockFormat
    from truestep.reference.element_tables import float32
    from truestep.reference.format_rows import Row

    if not isinstance(row, Row):
        raise BrokenRule(f"{told}: ROW must be a Row of format_rows, got {row!r}")
    for given, held in zip(row.elements, float32(row.elements), strict=True):
        if repr(float(given)) != repr(held):
            raise BrokenRule(f"{told}: the element {given!r} of ROW is no float32 number: {held!r}")
    return BlockFormat(name, row)


def _again(known: Own, path: Path, spec: str) -> str:
    """The name of a rule that is loaded once more, as through a backend that imports it."""
    if path != known.file:
        raise BrokenRule(f"{spec}: the rule {known.name!r} is {known.file} already")
    if _digest(path) != known.sha256:
        raise BrokenRule(f"{spec}: it has changed since it was loaded; start Python anew")
    return known.name


def _require_free(name: str, spec: str) -> None:
    from truestep.reference.tables import RULES

    if not name.isidentifier():
        raise BrokenRule(f"{spec}: a rule goes by its file's name, and {name!r} is none for it")
    for kind, rules in RULES.items():
        if name in rules:
            raise BrokenRule(
                f"{spec}: {name!r} is the name of a rule of TrueStep's ({kind}); name the file "
                "otherwise"
            )


def offered() -> dict[str, str]:
    """The rules that installed packages offer: name to module."""
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}


def find(name: str) -> None:
    """Load the rule of that name if an installed package offers it and no table has it."""
    from truestep.reference.tables import RULES

    if any(name in rules for rules in RULES.values()) or not (module := offered().get(name)):
        return
    if (found := _load(module)) != name:
        raise BrokenRule(f"the entry point {name!r} names {module}, which is {found!r}")


def found() -> list[str]:
    """Load all that installed packages offer; a line for each that cannot be."""
    problems = []
    for name in offered():
        try:
            find(name)
        except BrokenRule as error:
            problems.append(str(error))
    return problems


def lacking(rules: Iterable[str]) -> list[str]:
    """Those of the names that no table has, after a look at what packages offer."""
    from truestep.reference.tables import RULES

    names = list(dict.fromkeys(rules))
    for name in names:
        find(name)
    return [name for name in names if not any(name in table for table in RULES.values())]
