"""The kernels of pieces of the training loop, as csrc/training declares them, over NumPy arrays."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.protocol import Array, Capability, Inputs, Outputs, TrainingCapability
from truestep.reference.declared import Hyper
from truestep.reference.training import TRAINING


@dataclass(frozen=True, slots=True)
class TrainingKernel:
    """One piece.

    place: its number in the extension. hyper: the fields that it reads, as doubles; of a choice,
    its place among the field's choices. inputs, outputs: the lists of tensors. given: the numbers
    that it reads, or the name of one list of them. numbers: those that it reads and writes; flags:
    what it says besides.
    """

    place: int
    hyper: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    given: tuple[str, ...]
    numbers: tuple[str, ...]
    flags: tuple[str, ...]


@cache
def training_kernels() -> dict[str, TrainingKernel]:
    """Every kernel by the name of its piece."""
    return {
        piece: TrainingKernel(place, *(tuple(text.split()) for text in texts))
        for place, (piece, *texts) in enumerate(_core.training_kernels())
    }


def run(rule: str, h: Hyper, inputs: Inputs, threads: int = 0) -> Outputs:
    """The outputs of the piece on float32 tensors, in new arrays.

    threads: zero leaves the choice to OpenMP. The result does not depend on it.
    """
    if rule not in training_kernels():
        raise ValueError(f"no kernel of {rule}; there are {', '.join(sorted(training_kernels()))}")
    kernel = training_kernels()[rule]
    tensors = {name: _checked(name, inputs[name]) for name in kernel.inputs}
    first = tensors[kernel.inputs[0]]
    for name, group in tensors.items():
        if [x.shape for x in group] != [x.shape for x in first]:
            raise ValueError(f"{name} must have the shapes of {kernel.inputs[0]}")
    outputs = {name: [np.empty(x.shape, np.float32) for x in first] for name in kernel.outputs}
    numbers = np.array(
        [*(float(inputs.get(name, 0.0)) for name in kernel.numbers), *(0.0 for _ in kernel.flags)]
    )
    _core.train(
        kernel.place,
        _row(rule, kernel, h),
        _given(kernel, inputs),
        numbers,
        np.array([x.size for x in first], dtype=np.int64),
        np.array([_units(h, x.shape) for x in first], dtype=np.int64).reshape(-1, 3),
        _addresses(tensors),
        _addresses(outputs),
        threads,
    )
    return {**outputs, **_named(rule, kernel, numbers)}


def _checked(name: str, tensors: Sequence[Array]) -> list[Array]:
    for i, x in enumerate(tensors):
        if x.dtype != np.float32:
            raise TypeError(f"{name}[{i}] must be float32, got {x.dtype}")
    return [np.ascontiguousarray(x).reshape(x.shape) for x in tensors]


def _addresses(tensors: Mapping[str, Sequence[Array]]) -> NDArray[np.int64]:
    rows = [[x.ctypes.data for x in group] for group in tensors.values()]
    return np.array(rows, dtype=np.int64).reshape(len(rows), -1)


def _row(rule: str, kernel: TrainingKernel, h: Hyper) -> NDArray[np.float64]:
    choices = TRAINING[rule].Hyper.CHOICES
    values = ((name, getattr(h, name)) for name in kernel.hyper)
    return np.array([float(choices[n].index(x) if n in choices else x) for n, x in values])


def _given(kernel: TrainingKernel, inputs: Inputs) -> NDArray[np.float64]:
    for name in kernel.given:
        if name.endswith("[]"):
            return np.array(inputs[name.removesuffix("[]")], dtype=np.float64)
    return np.array([float(inputs[name]) for name in kernel.given], dtype=np.float64)


def _named(rule: str, kernel: TrainingKernel, numbers: NDArray[np.float64]) -> Outputs:
    """Counts as integers, flags as bools, other numbers as float32 holds them."""
    found: dict[str, int | float | bool] = {}
    for name, x in zip((*kernel.numbers, *kernel.flags), numbers, strict=True):
        if name in kernel.flags:
            found[name] = bool(x)
        elif TRAINING[rule].INPUTS.get(name) == "count":
            found[name] = int(x)
        else:
            with np.errstate(over="ignore"):
                found[name] = float(np.float32(x))
    return found


def _units(h: Hyper, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(outer, middle, inner): element [o][m][i] belongs to the unit [o][i], by adaptive clipping.

    One unit where the piece has none.
    """
    units, size = getattr(h, "units", ""), math.prod(shape)
    long = sum(n != 1 for n in shape)
    whole = len(shape) < 2 or (units == "columns_and_heads" and long < 2)
    if not units or whole or not size:
        return 1, size, 1
    if len(shape) == 3 and units == "rows_and_taps":
        return shape[0], shape[1], shape[2]
    if len(shape) == 3 and units == "columns_and_heads":
        return 1, shape[0], shape[1] * shape[2]
    if units in ("columns", "columns_and_heads"):
        return 1, math.prod(shape[:-1]), shape[-1]
    return shape[0], math.prod(shape[1:]), 1


def capabilities() -> list[Capability]:
    """Every piece in every dialect: a kernel takes all choices at run time."""
    return [
        TrainingCapability(
            rule=rule,
            arithmetic="ieee_float32_strict_float64_sums",
            dialect=dialect,
            variant="+".join(dialect.values()),
            level="standard" if number else "smoke",
        )
        for rule in training_kernels()
        for number, dialect in enumerate(_dialects(rule))
    ]


def _dialects(rule: str) -> Iterator[dict[str, str]]:
    choices = {name: tuple(told) for name, told in TRAINING[rule].DIALECTS.items()}
    for chosen in product(*choices.values()):
        yield dict(zip(choices, chosen, strict=True))
