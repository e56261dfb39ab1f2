"""The CUDA kernels on a GPU, through CuPy: as a backend to certify, and in place on device arrays.

CuPy compiles the sources of csrc/cuda for the GPU that is present, at first use, and caches them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from truestep.fast.ours import cuda_adapter, cuda_build, cuda_plan, nvrtc, offered
from truestep.fast.protocol import Array, BackendUnavailable, Capability, DType, Group, Stepped
from truestep.reference.declared import Hyper

if TYPE_CHECKING:
    from cupy import RawKernel, ndarray


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

    def __init__(self, sources: cuda_build.Sources | None = None) -> None:
        self._cupy = cupy()
        chosen = cuda_build.sources() if sources is None else sources
        # CuPy's cache does not look into included files; a macro that changes with them does.
        content = hashlib.sha256()
        for path in sorted([*chosen.root.glob("*/*.h"), *chosen.files]):
            content.update(path.read_bytes())
        options = (*nvrtc.options(chosen), f"-DTRUESTEP_SOURCES={int(content.hexdigest()[:7], 16)}")
        self._kernels: dict[str, RawKernel] = {}
        for path in chosen.files:
            module = self._cupy.RawModule(
                code=path.read_text(encoding="utf-8"), options=options, backend="nvrtc"
            )
            names = [name for name, home in chosen.kernels().items() if home == path]
            self._kernels |= {name: module.get_function(name) for name in names}
        attributes = self._cupy.cuda.Device().attributes
        # Enough blocks of 512 threads to fill every multiprocessor's 1024 to 2048.
        self.resident_blocks = 4 * int(attributes["MultiProcessorCount"])

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
        self, kernel: str, grid: int, block: int, arguments: Sequence[Buffer | np.generic]
    ) -> None:
        """Start a kernel on the current stream."""
        values = tuple(
            np.uint64(argument.address) if isinstance(argument, Buffer) else argument
            for argument in arguments
        )
        self._kernels[kernel]((grid,), (block,), values)

    def adamw_constants(self, h: Hyper, t: int) -> Sequence[float]:
        """The constants of step t >= 1, from the C++ that the CPU kernels use."""
        from truestep.fast.ours.cpu_plans import constants

        return constants(h, t)


class _InPlace:
    """Device arrays that a plan steps in place; each offers __cuda_array_interface__."""

    def __init__(self, arrays: Mapping[str, Sequence[ndarray]], dtypes: Mapping[str, str]) -> None:
        columns = []
        for name, dtype in dtypes.items():
            for i, array in enumerate(arrays[name]):
                interface = array.__cuda_array_interface__
                if interface["typestr"] != dtype or interface.get("strides") is not None:
                    raise TypeError(
                        f"{name}[{i}] must be a C-contiguous array of {dtype}, "
                        f"got {interface['typestr']}, strides {interface.get('strides')}"
                    )
            columns.append([int(a.__cuda_array_interface__["data"][0]) for a in arrays[name]])
        shapes = [array.__cuda_array_interface__["shape"] for array in arrays["params"]]
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
        self._arrays = arrays
        self._count = len(sizes)
        self._plan = cuda_plan.OptimizerPlan(Device(), columns, sizes)


class AdamW(_InPlace):
    """AdamW in place, decay before the step; all tensors in one launch.

    params and grads: float32, or all of them uint16 that hold bfloat16; m and v: float32.
    """

    def __init__(
        self,
        params: Sequence[ndarray],
        grads: Sequence[ndarray],
        m: Sequence[ndarray],
        v: Sequence[ndarray],
    ) -> None:
        arrays = {"params": params, "grads": grads, "m": m, "v": v}
        kind = params[0].__cuda_array_interface__["typestr"] if params else "<f4"
        self._format = "bfloat16" if kind == "<u2" else "float32"
        dtype = "<u2" if kind == "<u2" else "<f4"
        super().__init__(arrays, {"params": dtype, "grads": dtype, "m": "<f4", "v": "<f4"})

    def step(self, hyper: Hyper, t: int) -> None:
        """Step number t; the first is 1."""
        self._plan.adamw(self._format, [hyper] * self._count, [t] * self._count)


class AdamW8bit(_InPlace):
    """AdamW in place on float32 arrays, with moments as codes in blocks of block_size."""

    def __init__(
        self,
        params: Sequence[ndarray],
        grads: Sequence[ndarray],
        m_code: Sequence[ndarray],
        m_absmax: Sequence[ndarray],
        v_code: Sequence[ndarray],
        v_absmax: Sequence[ndarray],
        block_size: int = 256,
        kind: str = "fused",
    ) -> None:
        arrays = {"params": params, "grads": grads, "m_code": m_code, "m_absmax": m_absmax}
        arrays |= {"v_code": v_code, "v_absmax": v_absmax}
        super().__init__(arrays, {n: "|u1" if n.endswith("code") else "<f4" for n in arrays})
        self._blocks = block_size, kind

    def step(self, hyper: Hyper, t: int) -> None:
        """Step number t; the first is 1."""
        self._plan.adamw_8bit([hyper] * self._count, [t] * self._count, *self._blocks)


class Backend:
    """TrueStep's CUDA kernels on the current GPU."""

    name = "cuda"

    def __init__(self) -> None:
        self._device = Device()

    def capabilities(self) -> Sequence[Capability]:
        """What the CUDA kernels offer."""
        return offered.CAPABILITIES

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on copies of every slot of every group."""
        return cuda_adapter.optimizer_step(self._device, capability, groups)

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The stored form of the float32 x."""
        return cuda_adapter.encode(self._device, capability, hyper, x)

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that stored stands for."""
        return cuda_adapter.decode(self._device, capability, hyper, stored)
