"""A function of a C library as a backend, by its declaration.

    void adamw_step(float *p, const float *g, float *m, float *v, int64_t n, int t, float lr, ...)

What can be written besides the parameter is state, zero at first; what cannot is the gradient; a
count of elements, the number of the step, and the rule's numbers are told by their names.
"""

from __future__ import annotations

import ctypes
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from truestep.fast.locating import BrokenBackend
from truestep.fast.protocol import Array
from truestep.fast.wrapped import functions, search, told
from truestep.fast.wrapped.names import REQUIRED
from truestep.fast.wrapped.search import Found
from truestep.fast.wrapped.trials import Named
from truestep.reference.declared import Flag
from truestep.reference.optimizers import OPTIMIZERS

# Types of C by name, without const, restrict and unsigned.
_TYPES: Mapping[str, Any] = {
    "_Bool": ctypes.c_bool,
    "bool": ctypes.c_bool,
    "double": ctypes.c_double,
    "float": ctypes.c_float,
    "int": ctypes.c_int,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "long": ctypes.c_long,
    "long int": ctypes.c_long,
    "long long": ctypes.c_longlong,
    "size_t": ctypes.c_size_t,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
}
_FORMATS = {ctypes.c_double: "float64", ctypes.c_float: "float32"}
_IGNORED = {"const", "restrict", "__restrict", "__restrict__", "unsigned"}
# What arguments are called.
_PARAMETER = ("p", "param", "params", "parameter", "parameters", "theta", "w", "weight", "weights")
_GRADIENT = ("g", "grad", "grads", "gradient", "gradients")
_SIZE = ("n", "size", "numel", "count", "len", "length", "num_elements", "n_elements")
_STEP = ("t", "step", "steps", "iteration", "timestep")
# Rules' switches, which C often has as integers.
_SWITCHES = {
    name
    for rule in OPTIMIZERS.values()
    for name, limits in rule.Hyper.RANGES.items()
    if isinstance(limits, Flag)
}
_DECLARATION = re.compile(r"^\s*(?:[\w\s]+[\s*])?(\w+)\s*\(([^()]*)\)\s*;?\s*$")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. type: of the elements where it is a pointer; constant: what it points to."""

    name: str
    type: Any
    pointer: bool
    constant: bool

    @property
    def role(self) -> str:
        """What it is for: "p", "g", "n", "t", "state" or "number"."""
        if self.pointer:
            if self.name in _GRADIENT and (self.constant or self.name not in _PARAMETER):
                return "g"
            return "p" if self.name in _PARAMETER else "state"
        integer = self.type not in (*_FORMATS, ctypes.c_bool)
        if integer and self.name in _SIZE:
            return "n"
        return "t" if integer and self.name in _STEP else "number"


def declared(text: str) -> tuple[str, list[Argument]]:
    """The name and the arguments of a declaration; raises BrokenBackend where it is none."""
    found = _DECLARATION.match(text)
    if not found:
        raise BrokenBackend(f"{text!r} is no declaration of a C function: void f(float *p, ...)")
    name, inside = found.groups()
    arguments = [_argument(name, each) for each in inside.split(",")]
    roles = [each.role for each in arguments]
    for role, words in (("p", "the parameter (float *p)"), ("g", "a gradient (const float *g)")):
        if roles.count(role) != 1:
            raise BrokenBackend(f"{name}: its declaration has no single argument for {words}")
    for each in arguments:
        if each.pointer and each.type not in _FORMATS:
            raise BrokenBackend(f"{name}: {each.name} points to neither float nor double")
        if each.role == "state" and each.constant:
            raise BrokenBackend(f"{name}: needs {each.name} besides parameter, gradient and state")
    return name, arguments


def _argument(function: str, text: str) -> Argument:
    words = re.findall(r"\w+|\*", text.replace("[]", "*"))
    pointer, plain = "*" in words, [w for w in words if w != "*" and w not in _IGNORED]
    kind, name = " ".join(plain[:-1]), plain[-1] if plain else ""
    if kind not in _TYPES or words.count("*") > 1:
        raise BrokenBackend(f"{function}: {text.strip()!r} is no argument of a known type")
    return Argument(name, _TYPES[kind], pointer, "const" in words)


def _stepping(call: Any, arguments: list[Argument], first: int) -> functions.Step:
    """The step of a function as one of arrays and named state; first: the first step's number."""
    counts = any(each.role == "t" for each in arguments)

    def step(p: Array, g: Array, state: Named, **numbers: Any) -> tuple[Array, Named]:
        t = int(state.get("t", 0))
        shape = p.shape
        given, arrays = [], {}
        for each in arguments:
            if each.pointer:
                old = {"p": p, "g": g}.get(each.role, state.get(each.name, np.zeros(shape)))
                array = np.array(old, dtype=_FORMATS[each.type], order="C").reshape(-1)
                arrays[each.name] = array
                given.append(array.ctypes.data_as(ctypes.POINTER(each.type)))
            else:
                integers = {"n": p.size, "t": t + first}
                value = integers.get(each.role, numbers.get(each.name))
                given.append(each.type(value))
        call(*given)
        kept: Named = {
            each.name: arrays[each.name].reshape(shape).astype(p.dtype)
            for each in arguments
            if each.role == "state"
        }
        [after] = [arrays[each.name] for each in arguments if each.role == "p"]
        if counts:
            kept["t"] = t + 1
        return after.reshape(shape).astype(p.dtype), kept

    own = list(inspect.signature(step).parameters.values())[:3]
    named = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=_default(each))
        for each in arguments
        if each.role == "number"
    ]
    step.__signature__ = inspect.Signature([*own, *named])  # type: ignore[attr-defined]
    return step


def _default(argument: Argument) -> object:
    if argument.type is ctypes.c_bool or argument.name in _SWITCHES:
        return False
    value = REQUIRED.get(argument.name, 0.0)
    return value if argument.type in _FORMATS else 1


def wrapped(
    target: str,
    rule: str | None = None,
    arithmetic: str | None = None,
    options: Mapping[str, object] | None = None,
) -> functions.Backend:
    """A backend of "library:declaration": see truestep.wrap.ctypes."""
    library, _, text = target.partition(":")
    name, arguments = declared(text)
    try:
        call = getattr(ctypes.CDLL(str(Path(library).resolve())), name)
    except (AttributeError, OSError) as error:
        raise BrokenBackend(f"{name}: {' '.join(str(error).split())}") from error
    call.restype = None
    [format] = [_FORMATS[each.type] for each in arguments if each.role == "p"]

    def rounding(found: Found) -> tuple[str, ...]:
        if format == "float64":
            return ("sequential_float64",) if search.mixes(found) else ("ieee_float64",)
        return told.arithmetics(found)

    problem: BrokenBackend | None = None
    for first in (1, 0):
        step = _stepping(call, arguments, first)
        try:
            return functions.wrapped(
                step, rule, arithmetic, options, name=name, rounding=rounding, format=format
            )
        except BrokenBackend as error:
            problem = problem or error
    raise problem or BrokenBackend(f"{name}: could not be run")
