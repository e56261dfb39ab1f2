"""Planting: a reference's module with some of its lines changed, and the kernel that its lines are.

In NumPy a reference's lines on float32 arrays are a faithful float32 kernel: one rounding per
operation, hyperparameters and functions of the counter combined in double by the host and rounded
as they meet an array, as the profile ieee_float32 declares.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import cast

import ml_dtypes
import numpy as np

from truestep.fast.protocol import CLASSES, Capability, Group, Slot, Stepped
from truestep.fast.reference_backend import with_draws
from truestep.properties.kinds.quantizer.stored import kept_beside
from truestep.properties.kinds.training.step import lifted
from truestep.properties.museum.imports import between
from truestep.properties.museum.kept import Noise, fresh, keeping, read, stored
from truestep.reference import packing, splits
from truestep.reference.block_formats import BlockFormat
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Rule
from truestep.reference.storages import STORAGES
from truestep.reference.tables import RULES
from truestep.reference.validation import Array

# (old, new), or (function, old, new) where old stands in other functions too, or (module, old, new)
# where old stands in a module that the rule's imports from.
Edit = tuple[str, str] | tuple[str | ModuleType, str, str]
StepOne = Callable[[Hyper, Slot], Stepped]
StepSlot = Callable[[StepOne, Hyper, Slot], Stepped]
StepGroups = Callable[[StepOne, Sequence[Group]], list[list[Stepped]]]

DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.Module)
FLOAT64 = {"format": "float64", "arithmetic": "ieee_float64"}


def _lines(rule: Rule, edits: Sequence[Edit]) -> Array:
    """The rule with its lines changed: its module, or of a format that is a row, its body's."""
    if isinstance(rule, ModuleType):
        return planted(rule, edits)
    body = planted(sys.modules[type(rule).__module__], edits)
    format = cast(Array, rule)
    name = format.__name__.rpartition(".")[2]
    # One's own is in no table of the body's.
    made = vars(body)["FORMATS"].get(name)
    return made or vars(body)[BlockFormat.__name__](name, format.row)


class StaleEdit(ValueError):
    """A text to be replaced does not occur exactly once in the code that an edit addresses."""


def planted(module: ModuleType, edits: Sequence[Edit] = ()) -> ModuleType:
    """A copy of the module in which every edit has replaced its old text by its new one.

    Edits of another module are made in a copy of that one, which this one's copy imports, through
    copies of what lies between. Docstrings are not searched. Besides the module's names, new text
    may use: np; memory, a dict that lives as long as the copy; bfloat16(x), which rounds;
    changed(h, field=value), which is h with a field past its validation. Raises StaleEdit.
    """
    parted: dict[ModuleType, list[Edit]] = {module: []}
    for edit in edits:
        elsewhere = len(edit) == 3 and isinstance(edit[0], ModuleType)
        home, own = (edit[0], edit[1:]) if elsewhere else (module, edit)
        parted.setdefault(cast(ModuleType, home), []).append(cast(Edit, own))
    others = between(module, [other for other in parted if other is not module])
    if strange := [other.__name__ for other in parted if other not in (module, *others)]:
        raise StaleEdit(f"{module.__name__} does not import {strange[0]}")
    copies: list[ModuleType] = []
    for one in (*others, module):
        with _imported(copies):
            copies.append(_copy(one, parted.get(one, ())))
    return copies[-1]


def _copy(module: ModuleType, edits: Sequence[Edit]) -> ModuleType:
    source = code(module)
    for edit in edits:
        old, new = edit[-2:]
        start, end = _span(module, source, str(edit[0])) if len(edit) == 3 else (0, len(source))
        if (found := source.count(old, start, end)) != 1:
            raise StaleEdit(f"{module.__name__}: {old!r} occurs {found} times, not once")
        source = source[:start] + source[start:end].replace(old, new) + source[end:]
    # Under the module's own name: dataclasses look their annotations up in sys.modules.
    copy = ModuleType(module.__name__)
    vars(copy).update(np=np, memory={}, bfloat16=bfloat16, changed=changed)
    exec(compile(source, f"<{module.__name__}, changed>", "exec"), vars(copy))
    return copy


@contextmanager
def _imported(copies: Sequence[ModuleType]) -> Iterator[None]:
    """These in the place of the modules whose names they have."""
    kept = [sys.modules[copy.__name__] for copy in copies]
    _put(copies)
    try:
        yield
    finally:
        _put(kept)


def _put(modules: Sequence[ModuleType]) -> None:
    for module in modules:
        package, _, name = module.__name__.rpartition(".")
        sys.modules[module.__name__] = module
        if package:
            setattr(sys.modules[package], name, module)


@cache
def code(module: ModuleType) -> str:
    """The module's source, its docstrings emptied."""
    source = inspect.getsource(module)
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            text = node.body[0]
            first, last = text.lineno - 1, (text.end_lineno or text.lineno) - 1
            lines[first] = " " * text.col_offset + '""\n'
            lines[first + 1 : last + 1] = ["\n"] * (last - first)
    return "".join(lines)


def _span(module: ModuleType, source: str, function: str) -> tuple[int, int]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            lines = source.splitlines(keepends=True)
            start = sum(map(len, lines[: node.lineno - 1]))
            return start, start + sum(map(len, lines[node.lineno - 1 : node.end_lineno]))
    raise StaleEdit(f"{module.__name__} has no function {function!r}")


def bfloat16(x: Array) -> Array:
    """x rounded to bfloat16, as the float32 array or scalar or the Python number that it was."""
    if isinstance(x, (np.ndarray, np.generic)):
        return x.astype(ml_dtypes.bfloat16).astype(np.float32)
    return float(ml_dtypes.bfloat16(x))


def changed(h: Hyper, **fields: object) -> SimpleNamespace:
    """The hyperparameters with some of them changed, whatever their validation says."""
    return SimpleNamespace(**{name: getattr(h, name) for name in h.__dataclass_fields__} | fields)


class _Host:
    """NumPy as a float32 kernel's lines see it: what is double is a number of the host."""

    def __getattr__(self, name: str) -> object:
        found = getattr(np, name)
        if isinstance(found, type) or not callable(found):
            return found

        def narrowed(*args: object, **kwargs: object) -> object:
            x = found(*args, **kwargs)
            if not isinstance(x, (np.ndarray, np.generic)) or x.dtype != np.float64:
                return x
            return x.astype(np.float32) if x.ndim else float(x)

        setattr(self, name, narrowed)
        return narrowed


class Kernel:
    """The kernel that a rule's lines are: in float32, a schedule in float64.

    edits: what is changed in the lines. slot: computes one tensor's step instead, given the lines'
    step. groups: computes the whole call instead, given the step of one tensor. noise: what drawn
    codes of state are rounded by. declared: fields of the capability.
    """

    def __init__(
        self,
        rule: str,
        edits: Sequence[Edit] = (),
        *,
        slot: StepSlot | None = None,
        groups: StepGroups | None = None,
        noise: Noise = fresh,
        **declared: object,
    ) -> None:
        self.name = f"museum {rule}"
        self.rule = rule
        kind = next(kind for kind, table in RULES.items() if rule in table)
        own = FLOAT64 if kind == "schedule" else {}
        self.capability = CLASSES[kind](rule=rule, **own, **declared)  # type: ignore[arg-type]
        of_packing, of_splits = ([e for e in edits if e[0] is x] for x in (packing, splits))
        apart = (*of_packing, *of_splits)
        self.module: Array = _lines(RULES[kind][rule], [e for e in edits if e not in apart])
        planted_splits: Array = planted(splits, [edit[-2:] for edit in of_splits])
        self.storages = {**STORAGES, **planted_splits.SPLITS}
        self.packing: Array = planted(packing, [edit[-2:] for edit in of_packing])
        if kind in ("minimizer", "optimizer", "training"):
            self.module.np = _Host()
        self.slot, self.groups, self.noise, self.calls = slot, groups, noise, 0
        self.draws = np.random.default_rng(2022)

    def capabilities(self) -> Sequence[Capability]:
        """The one rule, as it is declared."""
        return [self.capability]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on every slot."""
        self.calls += 1
        with np.errstate(all="ignore"):
            how = [keeping(capability, group, self.storages) for group in groups]
            given = [read(*pair) for pair in zip(groups, how, strict=True)]
            made = self.groups(self._step, given) if self.groups else each(self._step, given)
            return stored(made, how, self.calls, self.noise)

    def _step(self, h: Hyper, slot: Slot) -> Stepped:
        return self.slot(self._lines, h, slot) if self.slot else self._lines(h, slot)

    def _lines(self, h: Hyper, slot: Slot) -> Stepped:
        state = self.module.State(**slot.state)
        inputs = with_draws(self.module.FACTS, slot, self.draws)
        return _stepped(slot, *self.module.step(h, state, slot.param, slot.grad, **inputs))

    def minimizer_step(
        self,
        capability: Capability,
        hyper: Hyper,
        param: Array,
        state: Mapping[str, Array],
        function: Callable[[Array], tuple[Array, Array]],
    ) -> Stepped:
        """One step of a rule that evaluates the function."""

        def called(x: Array) -> Array:
            found = function(np.asarray(x, param.dtype))
            return found[0] if self.module.FACTS.values_alone else found

        with np.errstate(all="ignore"):
            new = self.module.step(hyper, self.module.State(**state), param, called)
            return _stepped(Slot(param, param, state), *new)

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> Sequence[float]:
        """The values at these steps, made one from the other where the kernel is recursive."""
        with np.errstate(all="ignore"):
            if not getattr(capability, "recursive", False):
                return [float(self.module.value(hyper, t)) for t in steps]
            made = [float(hyper.lr)]
            for t in range(max(steps, default=0)):
                made.append(float(self.module.advance(hyper, t, made[-1])))
            return [made[t] for t in steps]

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """What is stored of x."""
        random = capability.dialect.get("rounding") == "stochastic"
        drawn = [self.draws.integers(0, 2**16, x.shape)] if random else []
        with np.errstate(all="ignore"):
            held = self.module.encode(hyper, x, *drawn)
        rule = QUANTIZERS[self.rule]
        beside = kept_beside(rule, hyper, x.shape) if rule.BLOCKS else ()
        parts = held if isinstance(held, tuple) else (held,)
        made = dict(zip(("code", *beside), parts, strict=True))
        if name := getattr(capability, "packing", ""):
            bits, signed = packing.of_format(QUANTIZERS[self.rule])
            made["code"] = self.packing.pack(name, made["code"], bits, signed=signed)
        return made

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that are stored."""
        held = {key: x for key, x in stored.items() if key != "shape"}
        if name := getattr(capability, "packing", ""):
            bits, signed = packing.of_format(QUANTIZERS[self.rule])
            shape = tuple(stored["shape"].tolist())
            held["code"] = self.packing.unpack(name, held["code"], shape, bits, signed=signed)
        with np.errstate(all="ignore"):
            return np.asarray(self.module.decode(hyper, *held.values()), np.float32)

    def training_piece(
        self, capability: Capability, hyper: Hyper, inputs: Mapping[str, Array]
    ) -> Mapping[str, Array]:
        """The piece's outputs; Python's numbers are rounded as they enter."""
        given = {name: lifted(x, np.float32, int) for name, x in inputs.items()}
        with np.errstate(all="ignore"):
            return {name: _plain(x) for name, x in self.module.run(hyper, **given).items()}


def each(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """The step applied to every slot of every group."""
    return [[step(group.hyper, slot) for slot in group.slots] for group in groups]


def _stepped(slot: Slot, state: Array, param: Array) -> Stepped:
    """The results in the shapes and formats that came in, in memory of their own."""

    def like(x: Array, old: Array) -> Array:
        if isinstance(old, int):
            return int(x)
        return np.array(x, dtype=old.dtype).reshape(old.shape)

    new = {name: like(getattr(state, name), old) for name, old in slot.state.items()}
    return Stepped(like(param, slot.param), new)


def _plain(x: Array) -> Array:
    if isinstance(x, list):
        return [_plain(item) for item in x]
    return x if isinstance(x, (bool, int)) else np.asarray(x, dtype=np.float32)
