"""What `truestep init` writes: a starting adapter, to be changed by hand."""

import importlib
import importlib.util
import inspect
import json
import pprint
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from click import ClickException
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from truestep.fast.locating import BrokenBackend
from truestep.fast.protocol import Backend
from truestep.fast.wrapped import names
from truestep.properties.run.rounding import settled
from truestep.reference.declared import Count, Flag
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.rules import Optimizer
from truestep.reports import files

_WIDTH = 84

Words = dict[str, object]


def write(rule: str, *, torch: str | None, ctypes: Path | None, out: Path, force: bool) -> str:
    """Write the adapter, of a class of torch, of a C library, or in NumPy; what is to be told.

    Raises ClickException where there is no such rule, class or library, and where a file is there.
    """
    if rule not in OPTIMIZERS:
        near = get_close_matches(rule, OPTIMIZERS, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ClickException(f"unknown optimizer {rule!r}{hint} (`truestep list optimizers`)")
    if out.exists() and not force:
        raise ClickException(f"{out} is there already (--force overwrites it)")
    words, told = _common(rule, out), ""
    if torch is not None:
        found, told = _of_torch(rule, torch, out)
        text = _rendered("torch", {**words, **found})
    elif ctypes is not None:
        text = _rendered("ctypes", {**words, **_of_library(rule, ctypes, out)})
    else:
        text = _rendered("numpy", words)
    files.write_atomically(out, text)
    return told


def _rendered(kind: str, words: Mapping[str, object]) -> str:
    templates = FileSystemLoader(Path(__file__).with_name("templates") / "init")
    environment = Environment(  # a Python file, not HTML
        loader=templates, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    return environment.get_template(f"{kind}.py.jinja").render(words)


def _common(rule: str, out: Path) -> Words:
    module = OPTIMIZERS[rule]
    own, fields = module.Hyper(), list(module.State.__dataclass_fields__)
    return {
        "rule": rule,
        "file": out.name,
        "arithmetic": "ieee_float32",
        "dialect": _literal({name: getattr(own, name) for name in module.DIALECTS}),
        "numbers": [f"h.{name}" for name in module.Hyper.RANGES],
        "state": fields,
        "tensors": _literal(tuple(name for name in fields if name != "t")),
    }


def _literal(value: object) -> str:
    """A table of names and numbers as it stands in a file; no name holds a quote."""
    return pprint.pformat(value, width=_WIDTH, sort_dicts=False).replace("'", '"')


# Of a C library.


def _of_library(rule: str, library: Path, out: Path) -> Words:
    module = OPTIMIZERS[rule]
    if not module.FACTS.elementwise or module.FACTS.inputs:
        raise ClickException(
            f"--ctypes is of rules that work element by element; {rule} does not: write --numpy's "
            "file, and call the library in its step"
        )
    if not library.is_file():
        raise ClickException(f"--ctypes {library}: no such file")
    arguments = {name: _ctype(limits) for name, limits in module.Hyper.RANGES.items()}
    tensors = [name for name in module.State.__dataclass_fields__ if name != "t"]
    spelled = {"c_double": "double", "c_int64": "int64_t", "c_int": "int"}
    here, whole = out.resolve().parent, library.resolve()
    return {
        "library": library.name,
        "symbol": f"{rule}_step",
        "path": json.dumps(str(whole.relative_to(here) if whole.is_relative_to(here) else whole)),
        "arguments": arguments,
        "prototype": [
            "int64_t n, float *p, const float *g",
            *([", ".join(f"float *{name}" for name in tensors)] if tensors else []),
            "int64_t t /* of this step, from 1 */",
            *(f"{spelled[kind]} {name}" for name, kind in arguments.items()),
        ],
    }


def _ctype(limits: object) -> str:
    if isinstance(limits, Flag):
        return "c_int"
    return "c_int64" if isinstance(limits, Count) else "c_double"


# Of a class of torch.


def _of_torch(rule: str, spec: str, out: Path) -> tuple[Words, str]:
    """The tables as they are found by running the class; where they are not, by names alone."""
    module, make = OPTIMIZERS[rule], _class_of(spec, out)
    place, _, maker = spec.rpartition(":")
    signature = inspect.signature(make).parameters.values()
    defaults = {p.name: p.default for p in signature if p.default is not p.empty}
    # The first is the parameters.
    lacking = [p.name for p in list(signature)[1:] if p.default is p.empty]
    required = {name: names.REQUIRED[name] for name in lacking if name in names.REQUIRED}
    words: Words = {
        "maker": maker,
        "import": f"from {Path(place).stem if place.endswith('.py') else place} import {maker}",
        "required": required,
        "numbers": names.paired(module, {**defaults, **required}),
        "state": {name: name for name in module.State.__dataclass_fields__ if name != "t"},
        "counter": '"step", int',
        "fixed": {},
    }
    told = ""
    try:
        words |= _run(rule, make)
    except BrokenBackend as error:
        told = f"running it does not tell how its names are paired, fill in the tables: {error}"
    by = "They are paired by name alone." if told else "They were found by running it."
    words["told"] = f"Which name is whose stands in three tables. {by}"
    for table in ("numbers", "state", "required", "fixed"):
        words[table] = _literal(words[table])
    return words, told


def _class_of(spec: str, out: Path) -> Callable[..., object]:
    """What is named; its package is imported, and so runs, here."""
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise ClickException(f"--torch {spec}: give package.module:Class or file.py:Class")
    if importlib.util.find_spec("torch") is None:
        raise ClickException("--torch: torch is not installed")
    path = Path(place)
    folder = path.parent if place.endswith(".py") else Path()
    if place.endswith(".py") and not path.is_file():
        raise ClickException(f"--torch {spec}: no such file: {path}")
    if place.endswith(".py") and path.resolve().parent != out.resolve().parent:
        raise ClickException(
            f"--torch {spec}: give --out in the folder of {path}, to import it from"
        )
    sys.path.insert(0, str(folder.resolve()))
    try:
        made: object = getattr(
            importlib.import_module(path.stem if path.suffix == ".py" else place), name
        )
    except Exception as error:
        text = " ".join(str(error).split())
        raise ClickException(f"--torch {spec}: {type(error).__name__}: {text}") from error
    finally:
        sys.path.remove(str(folder.resolve()))
    from torch.optim import Optimizer  # which what is named has loaded

    if not callable(made) or (inspect.isclass(made) and not issubclass(made, Optimizer)):
        raise ClickException(f"--torch {spec}: {made!r} is no class of torch.optim.Optimizer's")
    return made


def _run(rule: str, make: Callable[..., object]) -> Words:
    """What running the class tells; raises BrokenBackend where it tells nothing plain."""
    from truestep.fast.wrapped.torch_backend import wrapped

    backend = wrapped(make, rule)
    [capability], found = settled(cast(Backend, backend)), backend.found
    places = dict(found.state)
    plain = all(
        p.where == "state" and not p.negative and p.squeezed is None and not p.parts
        for p in places.values()
    )
    counter = found.counter
    if counter is not None and (counter.where != "state" or counter.ahead):
        counter, plain = None, False
    if not plain or any(theirs.startswith("-") for theirs in found.numbers.values()):
        raise BrokenBackend(
            "it keeps its state in another form; `truestep certify torch:` takes it"
        )
    count = "int" if isinstance(getattr(counter, "like", 0), int) else "torch.tensor"
    if count == "torch.tensor":
        count = "lambda t: torch.tensor(float(t))"
    own = OPTIMIZERS[rule].Hyper()
    module: Optimizer = OPTIMIZERS[rule]
    return {
        "numbers": dict(found.numbers),
        "state": {ours: place.name for ours, place in places.items()},
        "counter": f'"{counter.name}", {count}' if counter else '"", int',
        "dialect": _literal(
            {name: found.dialect.get(name, getattr(own, name)) for name in module.DIALECTS}
        ),
        "fixed": dict(found.fixed),
        "arithmetic": str(capability.arithmetic),
    }
