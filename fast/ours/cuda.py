"""The CUDA kernels on a GPU, through CuPy: as a backend to certify, and in place on device arrays.

CuPy compiles the kernels of a rule and its storages for the GPU that is present when they are first
launched, and caches them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from truestep.fast.ours import (
    cuda_adapter,
    cuda_build,
    cuda_plan,
    cuda_schedules,
    cuda_units,
    nvrtc,
    schedule_kernels,
)
from truestep.fast.ours.cache import contents, key
from truestep.fast.ours.cpu_plans import FLOAT32, GRADS, PARAMS, require_apart
from truestep.fast.ours.cuda_build import Unit
from truestep.fast.ours.storages import Kept
from truestep.fast.protocol import Array, BackendUnavailable, Capability, DType, Group, Stepped
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from cupy import RawModule, ndarray


@cache
def cupy() -> ModuleType:
    """CuPy, once it has found a GPU. Raises BackendUnavailable with what is missing."""
    try:
        import cupy as module
    except ImportError as error:
        raise BackendUnavailable(
            f"CuPy is not installed ({error}): CUDA kernels not run"
        ) from error
    try:
        count = module.cuda.runtime.getDeviceCount()
    except module.cuda.runtime.CUDARuntimeError as error:
        raise BackendUnavailable(f"no CUDA device ({error}): CUDA kernels not run") from error
    if count == 0:
        raise BackendUnavailable("no CUDA device: CUDA kernels not run")
    found: ModuleType = module
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """A copy of a host array, between guards, in the GPU's memory."""

    frame: ndarray
    start: int
    dtype: DType
    shape: tuple[int, ...]

    @property
    def address(self) -> int:
        """The address of the first element."""
        return int(self.frame.data.ptr) + self.start


class Device:
    """The current GPU."""

    def __init__(self, root: Path | None = None) -> None:
        self._cupy = cupy()
        self._root = cuda_build.source_root() if root is None else root
        self._modules: dict[Unit, RawModule] = {}
        attributes = self._cupy.cuda.Device().attributes
        # Enough blocks of 512 threads to fill every multiprocessor's 1024 to 2048.
        self.resident_blocks = 4 * int(attributes["MultiProcessorCount"])

    def _module(self, unit: Unit) -> RawModule:
        if unit not in self._modules:
            # CuPy's cache does not look into included files; a macro that changes with them does.
            headers, _ = cuda_build.included(unit, self._root)
            number = int(key(contents(headers))[:7], 16)
            options = (*nvrtc.options(unit, self._root), f"-DTRUESTEP_SOURCES={number}")
            self._modules[unit] = self._cupy.RawModule(
                code=unit.text, options=options, backend="nvrtc"
            )
        return self._modules[unit]

    def upload(self, array: Array) -> Buffer:
        """A copy in C order that is aligned as the array is, up to 16 bytes."""
        frame, start = cuda_plan.framed(array)
        return Buffer(self._cupy.asarray(frame), start, array.dtype, array.shape)

    def download(self, buffer: Buffer) -> Array:
        """A copy of the buffer's array. Raises if a kernel wrote beside it."""
        frame = buffer.frame.get()
        nbytes = int(np.prod(buffer.shape, dtype=np.int64)) * buffer.dtype.itemsize
        offset = cuda_plan.overwritten_guard(frame, buffer.start, nbytes)
        if offset is not None:
            raise RuntimeError(f"a kernel wrote to byte {offset} of a buffer of {nbytes}")
        return np.ndarray(buffer.shape, buffer.dtype, frame, buffer.start).copy()

    def launch(
        self,
        unit: Unit,
        kernel: str,
        grid: int,
        block: int,
        arguments: Sequence[Buffer | np.generic],
    ) -> None:
        """Start a kernel on the current stream."""
        values = tuple(
            np.uint64(argument.address) if isinstance(argument, Buffer) else argument
            for argument in arguments
        )
        self._module(unit).get_function(kernel)((grid,), (block,), values)


class Plan(cuda_plan.StepPlan):
    """A fixed list of device arrays that the kernels of one rule step in place.

    rule: the reference's name. params, grads: float32, or all of them uint16 that hold bfloat16.
    state: by name the arrays of the rule's state, in float32, and of its inputs, in the parameters'
    format; of one that kept names, its codes and scales ("m_code", "m_absmax"). numbers: the 0-d
    numbers of the state and of the inputs, by name one a tensor. All arrays offer
    __cuda_array_interface__, are C-contiguous, and overlap no other.
    """

    def __init__(
        self,
        rule: str,
        params: Sequence[ndarray],
        grads: Sequence[ndarray],
        state: Mapping[str, Sequence[ndarray]],
        *,
        kept: Mapping[str, Kept] = {},
        numbers: Mapping[str, Sequence[float]] = {},
    ) -> None:
        format = "bfloat16" if params and _typestr(params[0]) == _CODES.str else "float32"
        number = _CODES if format == "bfloat16" else FLOAT32
        shapes = [tuple(p.__cuda_array_interface__["shape"]) for p in params]
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
        wanted = {PARAMS: (number, sizes), GRADS: (number, sizes)}
        inputs = OPTIMIZERS[rule].FACTS.inputs
        wanted |= {name: (number if name in inputs else FLOAT32, sizes) for name in state}
        for name, how in kept.items():
            wanted[f"{name}_code"] = how.code, sizes
            if how.scale:
                wanted[f"{name}_{how.scale}"] = FLOAT32, [how.blocks(n) for n in sizes]
        self._arrays = {PARAMS: list(params), GRADS: list(grads)}
        self._arrays |= {name: list(group) for name, group in state.items()}
        spans = {
            name: list(_checked(name, group, *wanted[name])) for name, group in self._arrays.items()
        }
        require_apart(
            (start, end, f"{name}[{i}]")
            for name, group in spans.items()
            for i, (start, end) in enumerate(group)
            if start < end
        )
        addresses = {name: [start for start, _ in group] for name, group in spans.items()}
        super().__init__(Device(), rule, format, addresses, sizes, kept, numbers)


_CODES = np.dtype(np.uint16)


def _typestr(array: ndarray) -> str:
    return str(array.__cuda_array_interface__["typestr"])


def _checked(
    name: str, arrays: Sequence[ndarray], dtype: DType, sizes: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Where each array begins and ends; raises unless it is contiguous, of that type and size."""
    if len(arrays) != len(sizes):
        raise ValueError(f"{name} must hold {len(sizes)} arrays, got {len(arrays)}")
    for i, (array, size) in enumerate(zip(arrays, sizes, strict=True)):
        interface = array.__cuda_array_interface__
        if interface["typestr"] != dtype.str or interface.get("strides") is not None:
            raise TypeError(
                f"{name}[{i}] must be a C-contiguous array of {dtype.str}, "
                f"got {interface['typestr']}, strides {interface.get('strides')}"
            )
        given = int(np.prod(interface["shape"], dtype=np.int64))
        if given != size:
            raise ValueError(f"{name}[{i}] must have {size} elements, got {given}")
        start = int(interface["data"][0])
        yield start, start + size * dtype.itemsize


class Backend:
    """TrueStep's CUDA kernels on the current GPU."""

    name = "cuda"

    def __init__(self) -> None:
        self._device = Device()

    def capabilities(self) -> Sequence[Capability]:
        """Every rule that has a header, with each storage of csrc/cuda; quantizers; schedules."""
        return [*cuda_units.capabilities(), *schedule_kernels.capabilities("cuda_float64")]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on copies of every slot of every group."""
        return cuda_adapter.optimizer_step(self._device, capability, groups)

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> Sequence[float]:
        """The learning rate of the step after t steps made, for every t of steps."""
        found = cuda_schedules.values(self._device, capability.rule, hyper, steps)
        return [float(x) for x in found]

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The stored form of the float32 x."""
        return cuda_adapter.encode(self._device, capability, hyper, x)

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that stored stands for."""
        return cuda_adapter.decode(self._device, capability, hyper, stored)
