"""How the CUDA kernels are called: one plan for a GPU and for cuda_on_cpu.

A launch covers a whole list of tensors. The list is a table of addresses and sizes, cut into chunks
of CHUNK elements, and every block of threads takes chunks of one tensor each. The layouts are those
of csrc/cuda/plan.h.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from truestep.fast._core import Storage
from truestep.fast.ours.cpu_plans import GRADS, PARAMS
from truestep.fast.ours.cuda_build import Unit
from truestep.fast.ours.cuda_units import codec_unit, step_unit
from truestep.fast.ours.hyper_rows import hyper_rows
from truestep.fast.ours.rule_kernels import RuleKernel, kernel_for
from truestep.fast.ours.storages import NUMBERS, Kept
from truestep.fast.protocol import Array
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS

CHUNK = 4096
# Threads of a block of every kernel; of that of constants fewer, one for each row.
THREADS = 512
ROW_THREADS = 64
# Bytes of a row of constants, the most that a rule may have: kMaxConstants of csrc/cpu/rule.h.
CONSTANTS = 256


class Buffer(Protocol):
    """An array in the memory that kernels use."""

    @property
    def address(self) -> int:
        """The address of the first element, as a kernel sees it."""
        ...


GUARD = 64  # bytes before and behind a framed array
_GUARD_BYTE = 0xA5


def framed(array: Array, base: int = 0) -> tuple[NDArray[np.uint8], int]:
    """The array's bytes in C order between guards, and where they start.

    Placed at an address that is base modulo 256, the start keeps the array's own offset from a
    boundary of 16 bytes: a view into a larger array is misaligned for vectors on the device too.
    """
    offset = int(array.__array_interface__["data"][0]) % 16 // array.itemsize * array.itemsize
    start = GUARD + -(base + GUARD) % 256 + offset
    frame = np.full(start + array.nbytes + GUARD, _GUARD_BYTE, np.uint8)
    frame[start : start + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
    return frame, start


def overwritten_guard(frame: NDArray[np.uint8], start: int, nbytes: int) -> int | None:
    """The offset from the array's start of a guard byte that has changed."""
    changed = frame != _GUARD_BYTE
    changed[start : start + nbytes] = False
    hits = np.flatnonzero(changed)
    return int(hits[0]) - start if hits.size else None


B = TypeVar("B", bound=Buffer)


class GenericDevice(Protocol[B]):
    """What runs kernels: a GPU, or the host standing in for one."""

    @property
    def resident_blocks(self) -> int:
        """How many blocks to launch of a kernel whose blocks take one chunk after another."""
        ...

    def upload(self, array: Array) -> B:
        """A copy of the array in C order."""
        ...

    def download(self, buffer: B) -> Array:
        """A copy of what an uploaded array now holds, in the shape and dtype it had."""
        ...

    def launch(
        self, unit: Unit, kernel: str, grid: int, block: int, arguments: Sequence[B | np.generic]
    ) -> None:
        """Run a kernel of a unit; a buffer stands for its address."""
        ...


Device: TypeAlias = GenericDevice[Any]


def chunk_table(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """One row (tensor, first element) per chunk, in the order of the tensors; none for empties."""
    counts = -(-sizes // CHUNK)
    tensor = np.repeat(np.arange(sizes.size), counts)
    begin = (np.arange(tensor.size) - np.repeat(first_chunks(sizes), counts)) * CHUNK
    return np.stack([tensor, begin], axis=1).astype(np.int64)


def first_chunks(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each tensor's first chunk in the table of chunks."""
    counts = -(-sizes // CHUNK)
    return np.cumsum(counts) - counts


def map_table(values: Sequence[float]) -> NDArray[np.float32]:
    """Of a map its 256 values, its 255 thresholds and the code of zero: csrc/cuda's Map.

    A threshold is the exact midpoint rounded down to float32: no float32 lies between the two, so a
    float32 quotient is above the one when it is above the other.
    """
    of = np.array(values, dtype=np.float64)
    exact = (of[:-1] + of[1:]) / 2
    nearest = exact.astype(np.float32)
    down = np.where(nearest > exact, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    return np.concatenate([of, down, np.flatnonzero(of == 0)]).astype(np.float32)


class _Operands:
    """What a kernel is told of how its operands are kept, on the device."""

    def __init__(self, device: Device, storages: Sequence[Storage]) -> None:
        maps = [
            device.upload(map_table(storage.values)) if storage.values else None
            for storage in storages
        ]
        rows = [
            [table.address if table else 0, storage.block_size]
            for table, storage in zip(maps, storages, strict=True)
        ]
        self.maps = maps  # kept alive
        self.table = device.upload(np.array(rows, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The hyperparameters and the steps of a plan: which row each tensor has, and the rows."""

    of_tensor: tuple[int, ...]
    hyper: tuple[tuple[float, ...], ...]
    steps: tuple[int, ...]

    def after(self) -> "_Rows":
        """As the device has them once it has made the step."""
        return _Rows(self.of_tensor, self.hyper, tuple(t + 1 for t in self.steps))


class StepPlan:
    """The launches of one rule's steps over a fixed list of tensors on a device.

    addresses: by name ("params", "grads", "m", or "m_code" and "m_absmax" of one that kept names)
    those of every tensor; the caller keeps what lies there alive. sizes: numbers of elements.
    format: of parameters and gradients. numbers: the state's 0-d numbers, by name one a tensor.
    """

    def __init__(
        self,
        device: Device,
        rule: str,
        format: str,
        addresses: Mapping[str, Sequence[int]],
        sizes: Sequence[int],
        kept: Mapping[str, Kept] = {},
        numbers: Mapping[str, Sequence[float]] = {},
    ) -> None:
        self._device, self._rule = device, rule
        self._addresses = {name: list(of) for name, of in addresses.items()}
        inputs = OPTIMIZERS[rule].FACTS.inputs
        self._kept = dict.fromkeys((PARAMS, GRADS, *inputs), NUMBERS[format]) | dict(kept)
        self._coded = frozenset(kept)
        self._sizes = np.array(sizes, dtype=np.int64)
        chunks = chunk_table(self._sizes)
        self._chunk_count = len(chunks)
        self._chunks = device.upload(chunks)
        self._first = {name: list(of) for name, of in numbers.items()}
        self._kernel: RuleKernel | None = None
        # What the device is known to hold of the hyperparameters and steps.
        self._rows: _Rows | None = None

    def step(self, hyper: Hyper | Sequence[Hyper], t: int | Sequence[int]) -> None:
        """Step number t (the first is 1) on every tensor; both arguments may be one per tensor.

        All hypers must be served by one kernel.
        """
        if len(self._sizes):
            self.prepare(hyper, t)
            self._launch()

    def prepare(self, hyper: Hyper | Sequence[Hyper], t: int | Sequence[int]) -> None:
        """Put on the device what launch needs to make step t and, called again, the next.

        What was captured before is not to be launched any more.
        """
        keys, of_tensor = hyper_rows(hyper, t, len(self._sizes))
        if any(step < 1 for _, step in keys):
            raise ValueError(f"t must be >= 1, got {min(step for _, step in keys)}")
        kernel = kernel_for(self._rule, keys[0][0])
        for h, _ in keys[1:]:
            if not kernel.serves(h):
                raise ValueError(f"one kernel must serve all: that of {keys[0][0]!r} not {h!r}")
        if self._kernel is None or kernel.place != self._kernel.place:
            self._choose(kernel)
        rows = _Rows(
            tuple(of_tensor.tolist()),
            tuple(tuple(kernel.row(h)) for h, _ in keys),
            tuple(step - 1 for _, step in keys),
        )
        if self._rows is None or rows.of_tensor != self._rows.of_tensor:
            self._place(kernel, rows)
        if self._rows is None or rows.hyper != self._rows.hyper:
            self.hyper = self._device.upload(np.array(rows.hyper, dtype=np.float64))
        if self._rows is None or rows.steps != self._rows.steps:
            self.steps = self._device.upload(np.array(rows.steps, dtype=np.float64))
        self._rows, self._row_count = rows, len(rows.steps)

    def launch(self) -> None:
        """The launches of a step, and nothing else.

        A captured graph of them makes one step after another: the counts in steps advance, and
        hyper may be written in between. Both are tables of doubles on the device, a row for each
        combination, of the hyperparameters that the kernel reads and of the steps already made.
        """
        self._launch()
        # Whoever captures this repeats it unseen, and may write to the tables.
        self._rows = None

    def _launch(self) -> None:
        if self._kernel is None:
            raise ValueError("prepare must come before launch")
        kernel, rows, count = self._kernel, self._row_count, np.int64(self._chunk_count)
        listed = (self._tensors, self._chunks, count, self._operands.table)
        self._run(
            "constants",
            -(-rows // ROW_THREADS),
            (self.hyper, self.steps, np.int64(rows), self._constants),
            ROW_THREADS,
        )
        grid = min(self._chunk_count, self._device.resident_blocks)
        constants = self._constants
        if kernel.finishes:
            tensors, given = len(self._sizes), (self.hyper, self.steps)
            begins = (self._tensors, np.int64(tensors), *given, constants, self._numbers, self._own)
            self._run("begin", -(-tensors // ROW_THREADS), begins, ROW_THREADS)
            constants = self._own
            if kernel.sums and grid:
                self._run("sums", grid, (*listed, constants, self._partials))
            finishes = (self._tensors, *given, self._partials, self._numbers, constants)
            self._run("finish", tensors, finishes)
        if grid:
            self._run("step", grid, (*listed, constants))
        self._rows = self._rows and self._rows.after()

    @property
    def numbers(self) -> Mapping[str, NDArray[np.float64]]:
        """The 0-d numbers of the state, by name one a tensor, as the last step left them."""
        if self._kernel is None or not self._kernel.numbers:
            return {name: np.array(of, dtype=np.float64) for name, of in self._first.items()}
        table = self._device.download(self._numbers)
        own = {name: table[:, k].copy() for k, name in enumerate(self._kernel.numbers)}
        return {name: own.get(name, np.array(of)) for name, of in self._first.items()}

    def _run(
        self, part: str, grid: int, arguments: Sequence[Buffer | np.generic], block: int = THREADS
    ) -> None:
        kernel = f"{self._unit.stem}_{part}_kernel"
        self._device.launch(self._unit, kernel, grid, block, arguments)

    def _choose(self, kernel: RuleKernel) -> None:
        """What depends on the kernel alone."""
        self._first = {name: of.tolist() for name, of in self.numbers.items()}
        names = (PARAMS, GRADS, *kernel.inputs, *kernel.states)
        storages = [self._kept.get(name, NUMBERS["float32"]).storage for name in names]
        self._unit = step_unit(kernel, [storages[0].name, *(s.name for s in storages[2:])])
        self._operands = _Operands(self._device, storages)
        count, sums = len(self._sizes), max(1, kernel.sums)
        self._partials = self._scratch(self._chunk_count * sums if kernel.sums else 1)
        self._own = self._scratch(count * CONSTANTS // 8 if kernel.finishes else 1)
        first = np.zeros((count, len(kernel.numbers)))
        for k, name in enumerate(kernel.numbers):
            first[:, k] = self._first[name]
        self._numbers = self._device.upload(first)
        self._kernel, self._rows = kernel, None

    def _place(self, kernel: RuleKernel, rows: _Rows) -> None:
        """The table of tensors, each with its row of hyperparameters, and room for constants."""
        columns: list[Sequence[int]] = []
        for name in (PARAMS, GRADS, *kernel.inputs, *kernel.states):
            scale = self._kept.get(name, NUMBERS["float32"]).scale
            columns.append(self._column(f"{name}_code" if name in self._coded else name))
            columns.append(self._column(f"{name}_{scale}") if scale else [0] * len(self._sizes))
        columns += [self._sizes.tolist(), rows.of_tensor, first_chunks(self._sizes).tolist()]
        table = np.array(columns, dtype=np.int64).T
        self._tensors = self._device.upload(np.ascontiguousarray(table))
        self._constants = self._scratch(len(rows.steps) * CONSTANTS // 8)

    def _column(self, name: str) -> Sequence[int]:
        if name not in self._addresses:
            given = ", ".join(self._addresses)
            raise ValueError(f"the kernel of {self._rule} steps {name}; the plan has {given}")
        return self._addresses[name]

    def _scratch(self, doubles: int) -> Buffer:
        buffer: Buffer = self._device.upload(np.zeros(doubles))
        return buffer


def recode(
    device: Device, way: str, how: Kept, x: Buffer, stored: Sequence[Buffer], n: int
) -> None:
    """Fill the codes and scales from n numbers x ("encode"), or x from them ("decode")."""
    chunks = chunk_table(np.array([n], dtype=np.int64))
    if not len(chunks):
        return
    operands = _Operands(device, [NUMBERS["float32"].storage, how.storage])
    code, scale = [*(buffer.address for buffer in stored), 0][:2]
    row = [x.address, 0, code, scale, n, 0, 0]
    tensors = device.upload(np.array([row], dtype=np.int64))
    unit = codec_unit(how.storage.name)
    grid = min(len(chunks), device.resident_blocks)
    arguments = (tensors, device.upload(chunks), np.int64(len(chunks)), operands.table)
    device.launch(unit, f"{unit.stem}_{way}_kernel", grid, THREADS, arguments)
