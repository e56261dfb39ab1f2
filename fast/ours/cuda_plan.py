"""How the CUDA kernels are called: one plan for a GPU and for cuda_on_cpu.

A launch covers a whole list of tensors. The list is a table of addresses and sizes, cut into chunks
of CHUNK elements, and every block of threads takes chunks of one tensor each. The layouts are those
of csrc/cuda/plan.h.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from truestep.fast.ours.offered import DIALECT, require_offered
from truestep.fast.protocol import Array
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import dynamic_8bit

CHUNK = 4096
# Threads of a block: any multiple of a warp for elementwise kernels, exactly this for block-wise.
ELEMENTWISE_THREADS = 256
BLOCKWISE_THREADS = 512


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
        self, kernel: str, grid: int, block: int, arguments: Sequence[B | np.generic]
    ) -> None:
        """Run a kernel; a buffer stands for its address."""
        ...

    def adamw_constants(self, h: Hyper, t: int) -> Sequence[float]:
        """The fields of AdamWConstants for step t >= 1."""
        ...


Device: TypeAlias = GenericDevice[Any]


def chunk_table(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """One row (tensor, first element) per chunk, in the order of the tensors; none for empties."""
    counts = -(-sizes // CHUNK)
    tensor = np.repeat(np.arange(sizes.size), counts)
    begin = (np.arange(tensor.size) - np.repeat(np.cumsum(counts) - counts, counts)) * CHUNK
    return np.stack([tensor, begin], axis=1).astype(np.int64)


def addresses_of(buffers: Iterable[Buffer]) -> list[int]:
    """The address of every buffer."""
    return [buffer.address for buffer in buffers]


def constant_table(
    device: Device, hypers: Sequence[Hyper], steps: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The distinct rows of constants that the tensors need, and the row of each tensor."""
    rows: dict[tuple[Hyper, int], int] = {}
    index = [rows.setdefault(key, len(rows)) for key in zip(hypers, steps, strict=True)]
    table = np.array([device.adamw_constants(h, t) for h, t in rows], dtype=np.float32)
    return table, np.array(index, dtype=np.int64)


class OptimizerPlan:
    """The tables of one launch over a fixed list of tensors, kept on the device.

    columns: the addresses of the tensors, one list per pointer of the kernel's row, in its order;
    the caller keeps what lies there alive. sizes: numbers of elements.
    """

    def __init__(
        self, device: Device, columns: Sequence[Sequence[int]], sizes: Sequence[int]
    ) -> None:
        self._device = device
        self._sizes = np.array(sizes, dtype=np.int64)
        self._columns = np.array(columns, dtype=np.int64).reshape(len(columns), len(sizes))
        chunks = chunk_table(self._sizes)
        self._count = len(chunks)
        self._chunks = device.upload(chunks)
        self._index: NDArray[np.int64] | None = None
        self._tensors = self._chunks

    def _tables(
        self, hypers: Sequence[Hyper], steps: Sequence[int]
    ) -> tuple[Buffer, Buffer, Buffer]:
        constants, index = constant_table(self._device, hypers, steps)
        if self._index is None or not np.array_equal(index, self._index):
            rows = np.concatenate([self._columns, [self._sizes], [index]]).T
            self._tensors = self._device.upload(np.ascontiguousarray(rows))
            self._index = index
        return self._tensors, self._chunks, self._device.upload(constants)

    def adamw(self, format: str, hypers: Sequence[Hyper], steps: Sequence[int]) -> None:
        """One step of AdamW; columns p, g, m, v. One Hyper and one step number per tensor."""
        for h in dict.fromkeys(hypers):
            require_offered(h, DIALECT, "CUDA")
        if self._count:
            arguments = self._tables(hypers, steps)
            kernel = f"adamw_{format}_kernel"
            self._device.launch(kernel, self._count, ELEMENTWISE_THREADS, arguments)

    def adamw_8bit(
        self, hypers: Sequence[Hyper], steps: Sequence[int], block_size: int, kind: str = "fused"
    ) -> None:
        """One step of AdamW on codes; columns p, g, m_code, m_absmax, v_code, v_absmax.

        kind: the map's, "fused" or "separate".
        """
        for h in dict.fromkeys(hypers):
            require_offered(h, DIALECT, "CUDA")
        if not self._count:
            return
        tensors, chunks, constants = self._tables(hypers, steps)
        signed, m_zero = map_table(True, kind)
        unsigned, v_zero = map_table(False, kind)
        maps = self._device.upload(np.concatenate([signed, unsigned]))
        scalars = (np.uint32(m_zero), np.uint32(v_zero), np.int32(block_size))
        arguments = (tensors, chunks, np.int64(self._count), constants, maps, *scalars)
        _blockwise(self._device, "adamw_8bit_kernel", self._count, arguments)


def _blockwise(
    device: Device, kernel: str, chunks: int, arguments: Sequence[Buffer | np.generic]
) -> None:
    device.launch(kernel, min(chunks, device.resident_blocks), BLOCKWISE_THREADS, arguments)


@cache
def map_table(signed: bool, kind: str) -> tuple[NDArray[np.float32], int]:
    """The 256 values and 255 thresholds of a map, with one unused number, and the code of zero.

    A threshold is the exact midpoint rounded down to float32: no float32 lies between the two, so a
    float32 quotient is above the one when it is above the other.
    """
    h = dynamic_8bit.Hyper(signed=signed, map=kind)  # type: ignore[arg-type]
    exact = dynamic_8bit.thresholds(h)
    nearest = exact.astype(np.float32)
    down = np.where(nearest > exact, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    table = np.concatenate([dynamic_8bit.all_values(h), down, [0.0]]).astype(np.float32)
    return table, dynamic_8bit.code_of_zero(h)


def coded(
    device: Device, kernel: str, arrays: Sequence[Buffer], size: int, h: Hyper, *zero: np.generic
) -> None:
    """Quantize or dequantize; arrays x, code and absmax of size elements; h a quantizer's Hyper."""
    chunks = chunk_table(np.array([size], dtype=np.int64))
    if len(chunks):
        tensors = device.upload(np.array([[*addresses_of(arrays), size]], dtype=np.int64))
        maps = device.upload(map_table(h.signed, h.map)[0])
        plan = (tensors, device.upload(chunks), np.int64(len(chunks)))
        _blockwise(device, kernel, len(chunks), (*plan, maps, *zero, np.int32(h.block_size)))


def elementwise(device: Device, kernel: str, source: Buffer, target: Buffer, size: int) -> None:
    """Run a kernel that takes every element of source to the same of target."""
    blocks = -(-size // ELEMENTWISE_THREADS)
    if blocks:
        grid = min(blocks, device.resident_blocks)
        device.launch(kernel, grid, ELEMENTWISE_THREADS, (source, target, np.int64(size)))
