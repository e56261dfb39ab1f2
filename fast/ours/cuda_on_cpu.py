"""The CUDA kernels executed on the host, as a backend to certify and as a library to call.

The sources are those that a GPU runs, unmodified: every CUDA thread is a fiber, and the order of
blocks and threads is a choice, so that a kernel that depends on it is found out. The host also
reports what a GPU would let pass: barriers that not all threads reach, masks that do not name the
calling lane, misaligned vectors, indices outside of arrays, writes outside of buffers.

Each kernel is compiled at first use, with g++ and NVIDIA's headers (PyPI: nvidia-cuda-runtime,
nvidia-cuda-crt, nvidia-cuda-cccl), and cached.
"""

import ctypes
import weakref
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from truestep.fast.ours import (
    cuda_adapter,
    cuda_build,
    cuda_plan,
    cuda_schedules,
    cuda_toolchain,
    cuda_units,
    schedule_kernels,
)
from truestep.fast.ours.cuda_build import Unit
from truestep.fast.protocol import Array, Capability, DType, Group, Stepped
from truestep.reference.declared import Hyper

Order = Literal["ascending", "descending", "shuffled"]
ORDERS: tuple[Order, ...] = ("ascending", "descending", "shuffled")


class KernelFault(RuntimeError):
    """A kernel did what CUDA does not allow; the message names kernel, block and thread."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """In which order blocks run, and the threads of a block wherever CUDA leaves it open.

    seed: of the shuffled order; one seed is one schedule, whatever the number of workers.
    workers: operating-system threads, each with blocks of its own.
    """

    order: Order = "shuffled"
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {self.order!r}")
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"seed must lie in [0, 2^64), got {self.seed!r}")
        if self.workers < 1:
            raise ValueError(f"workers must be >= 1, got {self.workers!r}")


class _Request(ctypes.Structure):
    _fields_ = (
        ("kernel", ctypes.c_char_p),
        ("grid", ctypes.c_uint32 * 3),
        ("block", ctypes.c_uint32 * 3),
        ("dynamic_shared", ctypes.c_int64),
        ("order", ctypes.c_int32),
        ("workers", ctypes.c_int32),
        ("seed", ctypes.c_uint64),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("message", ctypes.c_char_p),
        ("message_size", ctypes.c_int64),
    )


_MESSAGE_SIZE = 2048
# Libraries that keep the stacks of their fibers between launches: each takes up to 3 MB, and with
# the guards between stacks a thousand of the 65,530 mappings that a process has, for every worker.
READY = 4
_ready: "dict[Library, None]" = {}  # those used last come last
_MAX_PARAMETERS = 64


class Library:
    """A compiled set of kernels, callable by name; kernels: the bytes of each one's parameters."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._functions = ctypes.CDLL(str(path))
        self._functions.cuda_on_cpu_kernel.restype = ctypes.c_char_p
        self.kernels: Mapping[str, tuple[int, ...]] = self._found()

    def _found(self) -> dict[str, tuple[int, ...]]:
        """Every kernel's name with the sizes of its parameters in bytes."""
        found: dict[str, tuple[int, ...]] = {}
        while name := self._functions.cuda_on_cpu_kernel(len(found)):
            sizes = (ctypes.c_int64 * _MAX_PARAMETERS)()
            count = self._functions.cuda_on_cpu_parameters(name, sizes, _MAX_PARAMETERS)
            found[name.decode()] = tuple(sizes[:count])
        return found

    def release(self) -> None:
        """Give back the memory that launches keep for the next one."""
        self._functions.cuda_on_cpu_release()

    def _hold(self) -> None:
        """Keep that memory, and give back that of the library that was used longest ago."""
        _ready.pop(self, None)
        _ready[self] = None
        if len(_ready) > READY:
            oldest = next(iter(_ready))
            del _ready[oldest]
            oldest.release()

    def launch(
        self,
        kernel: str,
        grid: int | tuple[int, ...],
        block: int | tuple[int, ...],
        arguments: Sequence[Array | np.generic],
        *,
        dynamic_shared: int = 0,
        schedule: Schedule | None = None,
    ) -> None:
        """Run a kernel. An array stands for the address of its first element, and is written to.

        Raises KernelFault with what the kernel did wrong. The process survives it, but blocks that
        ran before have had their effect.
        """
        chosen = Schedule() if schedule is None else schedule
        sizes = self.kernels.get(kernel)
        if sizes is None:
            raise ValueError(f"no kernel named {kernel!r}; there are {', '.join(self.kernels)}")
        values = [_value(argument) for argument in arguments]
        if tuple(value.nbytes for value in values) != sizes:
            raise TypeError(
                f"{kernel} takes arguments of {sizes} bytes, "
                f"got {tuple(value.nbytes for value in values)}"
            )
        self._hold()
        message = ctypes.create_string_buffer(_MESSAGE_SIZE)
        pointers = (ctypes.c_void_p * max(1, len(values)))(*(v.ctypes.data for v in values))
        request = _Request(
            kernel=kernel.encode(),
            grid=_dimensions(grid),
            block=_dimensions(block),
            dynamic_shared=dynamic_shared,
            order=ORDERS.index(chosen.order),
            workers=chosen.workers,
            seed=chosen.seed,
            arguments=pointers,
            message=ctypes.cast(message, ctypes.c_char_p),
            message_size=_MESSAGE_SIZE,
        )
        if self._functions.cuda_on_cpu_launch(ctypes.byref(request)) != 0:
            raise KernelFault(message.value.decode(errors="replace"))


def _value(argument: Array | np.generic) -> Array:
    if isinstance(argument, np.ndarray):
        if not (argument.flags.c_contiguous and argument.flags.writeable):
            raise ValueError("an array argument must be C-contiguous and writable")
        return np.array(argument.__array_interface__["data"][0], dtype=np.uint64)
    return np.array(argument)


def _dimensions(size: int | tuple[int, ...]) -> tuple[int, ...]:
    given = (size,) if isinstance(size, int) else tuple(size)
    if not 1 <= len(given) <= 3 or not all(0 <= n < 2**32 for n in given):
        raise ValueError(f"a grid or block has one to three sizes of 32 bits, got {size!r}")
    return given + (1,) * (3 - len(given))


def build(
    units: Sequence[Unit], source_dir: Path | None = None, defines: Sequence[str] = ()
) -> Library:
    """Compile units, or take their library from the cache.

    source_dir: a folder with the layout of csrc, by default csrc itself. Raises BackendUnavailable
    without a compiler or NVIDIA's headers, CompilationError if rejected.
    """
    # Once it is loaded its file may go: a process that has many must not keep a file open for each.
    with cuda_build.host_library(units, source_dir, defines=defines) as entry:
        return Library(entry.path)


class Kernels:
    """The kernels of a source tree, by default the shipped one; each is built at first use.

    source_dir, defines: as in build. Raises BackendUnavailable where nothing can be built.
    """

    def __init__(self, source_dir: Path | None = None, defines: Sequence[str] = ()) -> None:
        cuda_toolchain.identity()
        self._source_dir, self._defines = source_dir, defines
        self._libraries: dict[Unit, Library] = {}

    def library(self, unit: Unit) -> Library:
        """The library of a unit."""
        library = self._libraries.get(unit)
        if library is None:
            library = self._libraries[unit] = build([unit], self._source_dir, self._defines)
        return library


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Buffer:
    """A copy of an array between guards."""

    frame: NDArray[np.uint8]
    start: int
    dtype: DType
    shape: tuple[int, ...]

    @property
    def address(self) -> int:
        """The address of the first element."""
        return int(self.frame.__array_interface__["data"][0]) + self.start

    @property
    def view(self) -> Array:
        """The array itself."""
        return np.ndarray(self.shape, self.dtype, self.frame, self.start)


class Device:
    """The host as a CUDA device."""

    # Few, so that blocks take several chunks each in small cases too.
    resident_blocks = 3

    def __init__(self, kernels: Kernels, schedule: Schedule) -> None:
        self.kernels = kernels
        self.schedule = schedule
        self._buffers: weakref.WeakSet[Buffer] = weakref.WeakSet()

    def upload(self, array: Array) -> Buffer:
        """A copy in C order that is aligned as the array is, up to 16 bytes."""
        room = np.empty(array.nbytes + 1024, np.uint8)
        base = int(room.__array_interface__["data"][0])
        content, start = cuda_plan.framed(array, base)
        frame = room[: content.size]
        frame[...] = content
        buffer = Buffer(frame, start, array.dtype, array.shape)
        self._buffers.add(buffer)
        return buffer

    def download(self, buffer: Buffer) -> Array:
        """A copy of the buffer's array."""
        return buffer.view.copy()

    def launch(
        self,
        unit: Unit,
        kernel: str,
        grid: int,
        block: int,
        arguments: Sequence[Buffer | np.generic],
    ) -> None:
        """Run a kernel and look whether it wrote beside a buffer."""
        values = [
            np.uint64(argument.address) if isinstance(argument, Buffer) else argument
            for argument in arguments
        ]
        library = self.kernels.library(unit)
        library.launch(kernel, grid, block, values, schedule=self.schedule)
        for buffer in self._buffers:
            nbytes = buffer.view.nbytes
            offset = cuda_plan.overwritten_guard(buffer.frame, buffer.start, nbytes)
            if offset is not None:
                raise KernelFault(f"kernel {kernel} wrote to byte {offset} of a buffer of {nbytes}")


def drawn_schedule(arrays: Iterable[Array]) -> Schedule:
    """The schedule of a call that names none: its order and seed follow from what it is given.

    So a search over inputs is one over schedules, and the same inputs meet the same schedule again.
    """
    told = 0
    for array in arrays:
        told = zlib.crc32(np.asarray(array).tobytes(), told)
    return Schedule(ORDERS[told % len(ORDERS)], seed=told)


class Backend:
    """TrueStep's CUDA kernels, executed on the host under one schedule, or under drawn ones."""

    name = "cuda_on_cpu"

    def __init__(self, schedule: Schedule | None = None, kernels: Kernels | None = None) -> None:
        self._schedule = schedule
        self._kernels = Kernels() if kernels is None else kernels

    def capabilities(self) -> Sequence[Capability]:
        """Every rule that has a header, with each storage of csrc/cuda; quantizers; schedules."""
        return [*cuda_units.capabilities(), *schedule_kernels.capabilities("cuda_float64")]

    def _device(self, arrays: Iterable[Array]) -> Device:
        return Device(self._kernels, self._schedule or drawn_schedule(arrays))

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on copies of every slot of every group."""
        given = (x for group in groups for slot in group.slots for x in (slot.param, slot.grad))
        return cuda_adapter.optimizer_step(self._device(given), capability, groups)

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> Sequence[float]:
        """The learning rate of the step after t steps made, for every t of steps."""
        device = self._device([np.array(steps, dtype=np.int64)])
        return [float(x) for x in cuda_schedules.values(device, capability.rule, hyper, steps)]

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The stored form of the float32 x."""
        return cuda_adapter.encode(self._device([x]), capability, hyper, x)

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that stored stands for."""
        return cuda_adapter.decode(self._device(stored.values()), capability, hyper, stored)
