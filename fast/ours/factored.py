"""The C++ kernels of rules that keep numbers by row and by column (csrc/factored).

A header says which of the rule's state tensors belong to rows and columns; here stands how each
rule sees a tensor as matrices. Steps are on copies.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import prod
from typing import Any

import numpy as np

from truestep.fast import _core
from truestep.fast.ours.rule_kernels import RuleKernel, conditions_of
from truestep.fast.ours.storages import NUMBERS
from truestep.fast.protocol import Array, Capability, Group, OptimizerCapability, Slot, Stepped
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import adafactor

# Rules whose addends are joined by their largest: nothing is added up.
MAXIMA = ("sm3",)
# What stands for a state that a view of the tensor has not.
NONE = "-"


@dataclass(frozen=True, slots=True)
class Factored:
    """A kernel, and its states by row, by column and, where a tensor is a vector, by element.

    All three have a name for each side; "-" where there is none.
    """

    kernel: RuleKernel
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    vectors: tuple[str, ...]

    def names(self, view: "View") -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the rows' states and of the columns'."""
        return (
            ((NONE,) * len(self.rows), self.vectors) if view.vector else (self.rows, self.columns)
        )


@dataclass(frozen=True, slots=True)
class View:
    """A tensor as `leading` matrices, or as one row; axes: of rows and columns, moved last."""

    leading: int
    rows: int
    columns: int
    vector: bool = False
    axes: tuple[int, int] | None = None

    def enter(self, array: Array) -> Array:
        """A contiguous copy as the kernel takes it."""
        if self.axes is not None and array.ndim > 1:
            array = np.moveaxis(array, self.axes, (-2, -1))
        return np.array(array, order="C", copy=True)

    def leave(self, array: Array, shape: tuple[int, ...]) -> Array:
        """What the kernel left, in the shape it came in."""
        if self.axes is not None and array.ndim > 1:
            array = np.moveaxis(array, (-2, -1), self.axes)
        return np.ascontiguousarray(array).reshape(shape)


def _vector(shape: tuple[int, ...]) -> View:
    return View(1, 1, prod(shape), vector=True)


def _by_axes(shape: tuple[int, ...], axes: tuple[int, int] | None) -> View:
    if axes is None:
        return _vector(shape)
    rows, columns = axes
    others = [n for i, n in enumerate(shape) if i not in (rows, columns)]
    return View(prod(others), shape[rows], shape[columns], axes=axes)


def _adafactor(h: Any, shape: tuple[int, ...]) -> View:
    axes = adafactor.factored_axes(h, shape)
    return _by_axes(shape, None if axes is None else (axes[1], axes[0]))


def _last(h: Any, shape: tuple[int, ...]) -> View:
    return _by_axes(shape, None if len(shape) < 2 else (len(shape) - 2, len(shape) - 1))


def _blocks(h: Any, shape: tuple[int, ...]) -> View:
    size = prod(shape)
    if h.blocks == "elements" or (h.blocks == "rows" and len(shape) < 2):
        return _vector(shape)
    if h.blocks == "heads" and size % h.heads:
        raise ValueError(f"heads must divide the {size} elements of p, got {h.heads!r}")
    rows = {"rows": shape[0] if shape else 1, "heads": h.heads, "tensor": 1}[h.blocks]
    return View(1, rows, size // rows if rows else 0)


def _rows(h: Any, shape: tuple[int, ...]) -> View:
    if len(shape) < 2:
        return _vector(shape)
    return View(1, shape[0], prod(shape[1:]))


def _centralized(h: Any, shape: tuple[int, ...]) -> View:
    """Rows where they have a mean to lose, else a vector."""
    least = {"all": 2, "convolutions": 4, "none": np.inf}[h.centralize]
    return _rows(h, shape) if len(shape) >= least else _vector(shape)


def _slices(h: Any, shape: tuple[int, ...]) -> View:
    return _vector(shape) if len(shape) < 2 else View(1, prod(shape[:-1]), shape[-1])


VIEWS: Mapping[str, Callable[[Any, tuple[int, ...]], View]] = {
    "adafactor": _adafactor,
    "adalomo": _last,
    "adam_mini": _blocks,
    "adamp": _rows,
    "came": _last,
    "ranger": _centralized,
    "sgdp": _rows,
    "sm3": _slices,
}


@cache
def kernels() -> tuple[Factored, ...]:
    """Every kernel, in the extension's order."""
    found = []
    for place, (rule, conditions, *texts) in enumerate(_core.factored_kernels()):
        hyper, states, *sides = (tuple(text.split()) for text in texts)
        dialect, fixed = conditions_of(rule, conditions)
        sums = 0 if rule in MAXIMA else 1
        kernel = RuleKernel(place, rule, dialect, fixed, "", hyper, states, (), (), sums)
        found.append(Factored(kernel, *sides))
    return tuple(found)


def rules() -> frozenset[str]:
    """The rules that have kernels here."""
    return frozenset(kernel.kernel.rule for kernel in kernels())


def capabilities() -> list[Capability]:
    """Every dialect of every rule, and its first one with parameters in bfloat16."""
    found: list[Capability] = []
    seen: set[str] = set()
    for kernel in (factored.kernel for factored in kernels()):
        ending = "_float64_sums" if kernel.sums else ""
        found.append(
            OptimizerCapability(
                rule=kernel.rule,
                arithmetic=f"ieee_float32_strict{ending}",
                dialect=kernel.dialect,
                variant="+".join(kernel.dialect.values()),
                level="standard" if kernel.rule in seen else "smoke",
                documented=tuple(kernel.dialect),
            )
        )
        if kernel.rule not in seen:
            found.append(
                OptimizerCapability(
                    rule=kernel.rule,
                    format="bfloat16",
                    arithmetic=f"bfloat16_params{ending}",
                    dialect=kernel.dialect,
                    level="standard",
                )
            )
        seen.add(kernel.rule)
    return found


def kernel_for(rule: str, h: Hyper) -> Factored:
    """The first kernel of the rule that serves h. Raises ValueError where none does."""
    for factored in kernels():
        if factored.kernel.rule == rule and factored.kernel.serves(h):
            return factored
    raise ValueError(f"no kernel of {rule} serves {h!r}")


@dataclass(slots=True)
class Tensors:
    """What a slot's step works on: its view, copies by name, and states by row and column."""

    view: View
    arrays: dict[str, Array]
    rows: list[Array] = field(default_factory=list)
    columns: list[Array] = field(default_factory=list)


def optimizer_step(capability: OptimizerCapability, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One step on every slot of every group, in one call for those of one kernel."""
    places: dict[int, list[tuple[int, int]]] = {}
    for i, group in enumerate(groups):
        place = kernel_for(capability.rule, group.hyper).kernel.place
        places.setdefault(place, []).extend((i, j) for j in range(len(group.slots)))
    stepped: dict[tuple[int, int], Stepped] = {}
    for place, of_kernel in places.items():
        hypers = [groups[i].hyper for i, _ in of_kernel]
        slots = [groups[i].slots[j] for i, j in of_kernel]
        stepped |= zip(of_kernel, _step(kernels()[place], hypers, slots), strict=True)
    return [[stepped[i, j] for j in range(len(g.slots))] for i, g in enumerate(groups)]


def _step(factored: Factored, hypers: Sequence[Hyper], slots: Sequence[Slot]) -> list[Stepped]:
    """One step on slots whose hypers one kernel serves."""
    tensors = [_entered(factored, h, slot) for h, slot in zip(hypers, slots, strict=True)]
    steps = [int(slot.state["t"]) + 1 for slot in slots]
    run(factored, hypers, steps, tensors)
    return [
        _left(factored, h, slot, of, t)
        for h, slot, of, t in zip(hypers, slots, tensors, steps, strict=True)
    ]


def _entered(factored: Factored, h: Hyper, slot: Slot) -> Tensors:
    """Copies of the slot's tensors as the kernel takes them."""
    view = VIEWS[factored.kernel.rule](h, np.shape(slot.param))
    copied = {"p": slot.param, "g": slot.grad}
    copied |= {name: slot.state[name] for name in factored.kernel.states}
    of = Tensors(view, {name: view.enter(np.asarray(x)) for name, x in copied.items()})
    for lines, names, count in zip(
        (of.rows, of.columns),
        factored.names(view),
        (view.leading * view.rows, view.leading * view.columns),
        strict=True,
    ):
        for name in names:
            lines.append(_lines(factored, slot, view, name, count, lines is of.rows))
    return of


def _lines(
    factored: Factored, slot: Slot, view: View, name: str, count: int, of_rows: bool
) -> Array:
    """The state by row or by column; where there is none, what leaves other factors as they are."""
    if name == NONE:
        return np.full(count, np.inf if factored.kernel.rule == "sm3" else 1.0, np.float32)
    if factored.kernel.rule != "sm3" or view.vector:
        return view.enter(np.asarray(slot.state[name]))
    shape = slot.param.shape
    mu = np.asarray(slot.state[name])
    return _least(mu, shape[:-1]) if of_rows else mu[sum(shape[:-1]) :].copy()


def _left(factored: Factored, h: Any, slot: Slot, of: Tensors, t: int) -> Stepped:
    """The slot after the step."""
    state = {name: x if name == "t" else np.array(x) for name, x in slot.state.items()}
    state["t"] = t
    for name in factored.kernel.states:
        state[name] = of.view.leave(of.arrays[name], slot.state[name].shape)
    shape = slot.param.shape
    if factored.kernel.rule == "sm3":
        if slot.param.size:
            mu = of.columns[0] if of.view.vector else _maxima(of, shape)
            held = h.accumulator == "average_held"
            state["mu"] = np.maximum(slot.state["mu"], mu) if held else mu
    else:
        for names, lines in zip(factored.names(of.view), (of.rows, of.columns), strict=True):
            for name, array in zip(names, lines, strict=True):
                if name != NONE:
                    state[name] = of.view.leave(array, np.shape(slot.state[name]))
    return Stepped(of.view.leave(of.arrays["p"], shape), state)


def _least(mu: Array, shape: tuple[int, ...]) -> Array:
    """The least of the slices across all axes but the last, for every row of the tensor."""
    least, start = np.full(shape, np.inf, np.float32), 0
    for axis, size in enumerate(shape):
        across = [1] * len(shape)
        across[axis] = size
        np.minimum(least, mu[start : start + size].reshape(across), out=least)
        start += size
    return least.reshape(-1)


def _maxima(of: Tensors, shape: tuple[int, ...]) -> Array:
    """mu, from the maxima of the rows and of the columns."""
    rows = of.rows[0].reshape(shape[:-1])
    axes = range(rows.ndim)
    maxima = [np.max(rows, axis=tuple(b for b in axes if b != a)) for a in axes]
    return np.concatenate([*maxima, of.columns[0]])


def run(
    factored: Factored,
    hypers: Sequence[Hyper],
    steps: Sequence[int],
    tensors: Sequence[Tensors],
    threads: int = 0,
) -> None:
    """The kernel's step on all tensors in place, in one call. threads: as in Plan.step."""
    kernel = factored.kernel
    row_of: dict[tuple[Hyper, int], int] = {}
    rows = [row_of.setdefault(key, len(row_of)) for key in zip(hypers, steps, strict=True)]
    formats = [
        NUMBERS[tensors[0].arrays["p"].dtype.name],
        *[NUMBERS["float32"]] * len(kernel.states),
    ]
    operands = [
        [*(of.arrays[name] for name in ("p", "g", *kernel.states)), *of.rows, *of.columns]
        for of in tensors
    ]
    addresses = [[x.__array_interface__["data"][0] for x in arrays] for arrays in operands]
    views = [(of.view.leading, of.view.rows, of.view.columns, of.view.vector) for of in tensors]
    _core.factored_step(
        kernel.place,
        [how.storage for how in (formats[0], *formats)],
        np.ascontiguousarray(np.array(addresses, dtype=np.int64).T),
        np.array(views, dtype=np.int64),
        np.array(rows, dtype=np.int32),
        np.array([kernel.row(h) for h, _ in row_of], dtype=np.float64),
        np.array([t for _, t in row_of], dtype=np.float64),
        threads,
    )
