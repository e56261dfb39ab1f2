"""How the CUDA kernels are called: one plan for a GPU and for cuda_on_cpu.

A launch covers a whole list of tensors. The list is a table of addresses and sizes, cut into chunks
of CHUNK elements, and every block of threads takes chunks of one tensor each. The layouts are those
of csrc/cuda/plan.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array, Capability, Group, Slot, Stepped, numpy_dtype
from truestep.reference.optimizers import adamw, adamw_8bit
from truestep.reference.quantizers import dynamic_8bit

CHUNK = 4096
# Threads of a block: any multiple of a warp for elementwise kernels, exactly this for block-wise.
ELEMENTWISE_THREADS = 256
BLOCKWISE_THREADS = 512

DIALECT: Mapping[str, str] = {"decay": "before", "eps_placement": "outside"}
DIALECT_8BIT: Mapping[str, str] = {"decay": "before"}
# What the quantizer does without being asked, as fields of its Hyper; it varies map and block_size.
QUANTIZER: Mapping[str, Any] = {
    "absmax_floor": 0.0,
    "nan": "propagate",
    "normalise": "divide",
    "ties": "lower",
    "zero_block": "code_of_zero",
}

CAPABILITIES = (
    Capability("optimizer", "adamw", arithmetic="ieee_float32_strict", dialect=DIALECT),
    Capability(
        "optimizer", "adamw", format="bfloat16", arithmetic="bfloat16_params", dialect=DIALECT
    ),
    Capability(
        "optimizer",
        "adamw_8bit",
        arithmetic="ieee_float32_strict",
        dialect=DIALECT_8BIT,
        fixed={"absmax_floor": 0.0},
    ),
    Capability("quantizer", "bfloat16", arithmetic="ieee_float32_strict"),
    Capability(
        "quantizer",
        "dynamic_8bit",
        arithmetic="ieee_float32_strict",
        fixed={"absmax_floor": 0.0},
    ),
)

Hyper = adamw.Hyper | adamw_8bit.Hyper


class Buffer(Protocol):
    """An array in the memory that kernels use."""

    @property
    def address(self) -> int:
        """The address of the first element, as a kernel sees it."""
        ...


class Device(Protocol):
    """What runs kernels: a GPU, or the host standing in for one."""

    @property
    def resident_blocks(self) -> int:
        """How many blocks to launch of a kernel whose blocks take one chunk after another."""
        ...

    def upload(self, array: Array) -> Buffer:
        """A copy of the array in C order."""
        ...

    def download(self, buffer: Any) -> Array:
        """A copy of what an uploaded array now holds, in the shape and dtype it had."""
        ...

    def launch(
        self, kernel: str, grid: int, block: int, arguments: Sequence[Buffer | np.generic]
    ) -> None:
        """Run a kernel; a buffer stands for its address."""
        ...

    def adamw_constants(self, h: Hyper, t: int) -> Sequence[float]:
        """The fields of AdamWConstants for step t >= 1."""
        ...


def require_offered(hyper: Any, offered: Mapping[str, Any]) -> None:
    """Raise unless every field that hyper shares with offered has the offered value."""
    for field, value in offered.items():
        if getattr(hyper, field, value) != value:
            raise ValueError(
                f"{field} must be {value!r} for the CUDA kernels, got {getattr(hyper, field)!r}"
            )


def chunk_table(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """One row (tensor, first element) per chunk, in the order of the tensors; none for empties."""
    counts = -(-sizes // CHUNK)
    tensor = np.repeat(np.arange(sizes.size), counts)
    begin = (np.arange(tensor.size) - np.repeat(np.cumsum(counts) - counts, counts)) * CHUNK
    return np.stack([tensor, begin], axis=1).astype(np.int64)


def tensor_table(columns: Iterable[Sequence[Buffer] | NDArray[np.int64]]) -> NDArray[np.int64]:
    """One row per tensor; buffers stand for their addresses."""
    table = [
        column if isinstance(column, np.ndarray) else [buffer.address for buffer in column]
        for column in columns
    ]
    return np.array(table, dtype=np.int64).reshape(len(table), -1).T.copy()


def constant_table(
    device: Device, hypers: Sequence[Hyper], steps: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The distinct rows of constants that the tensors need, and the row of each tensor."""
    rows: dict[tuple[Hyper, int], int] = {}
    index = [rows.setdefault(key, len(rows)) for key in zip(hypers, steps, strict=True)]
    table = np.array([device.adamw_constants(h, t) for h, t in rows], dtype=np.float32)
    return table, np.array(index, dtype=np.int64)


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


def optimizer_step(
    device: Device, capability: Capability, groups: Sequence[Group]
) -> list[list[Stepped]]:
    """One step on every slot of every group, in one launch per block size."""
    slots = [slot for group in groups for slot in group.slots]
    hypers = [group.hyper for group in groups for _ in group.slots]
    stepped = iter(_chosen(STEPS, capability)(device, capability, hypers, slots))
    return [[next(stepped) for _ in group.slots] for group in groups]


def encode(device: Device, capability: Capability, hyper: Any, x: Array) -> dict[str, Array]:
    """The stored form of the float32 x: code, and for blocks absmax."""
    encoded: dict[str, Array] = _chosen(ENCODERS, capability)(device, hyper, x)
    return encoded


def decode(device: Device, capability: Capability, hyper: Any, stored: Mapping[str, Array]) -> Array:
    """The float32 numbers that stored, as encode gives it, stands for."""
    decoded: Array = _chosen(DECODERS, capability)(device, hyper, stored)
    return decoded


def _chosen(table: Mapping[str, Any], capability: Capability) -> Any:
    if capability.rule not in table:
        raise ValueError(
            f"the CUDA kernels offer {', '.join(sorted(table))} here; "
            f"got {capability.kind} {capability.rule!r}"
        )
    return table[capability.rule]


def _uploaded(device: Device, name: str, arrays: Iterable[Array], dtype: Any) -> list[Buffer]:
    buffers = []
    for array in arrays:
        if array.dtype != dtype:
            raise TypeError(f"{name} must be {np.dtype(dtype)}, got {array.dtype}")
        buffers.append(device.upload(array))
    return buffers


def _results(
    device: Device, columns: Mapping[str, Sequence[Buffer]], steps: Sequence[int]
) -> list[Stepped]:
    arrays = {name: [device.download(b) for b in column] for name, column in columns.items()}
    params = arrays.pop("param")
    return [
        Stepped(p, {"t": t, **{name: column[i] for name, column in arrays.items()}})
        for i, (p, t) in enumerate(zip(params, steps, strict=True))
    ]


def _adamw(
    device: Device, capability: Capability, hypers: Sequence[Hyper], slots: Sequence[Slot]
) -> list[Stepped]:
    for h in hypers:
        require_offered(h, DIALECT)
    dtype = numpy_dtype(capability.format)
    steps = [int(slot.state["t"]) + 1 for slot in slots]
    grads = _uploaded(device, "grad", (s.grad for s in slots), dtype)
    columns = {"param": _uploaded(device, "param", (s.param for s in slots), dtype)}
    for name in ("m", "v"):
        columns[name] = _uploaded(device, name, (s.state[name] for s in slots), np.float32)
    sizes = np.array([slot.param.size for slot in slots], dtype=np.int64)
    constants, index = constant_table(device, hypers, steps)
    tensors = tensor_table((columns["param"], grads, columns["m"], columns["v"], sizes, index))
    chunks = chunk_table(sizes)
    if len(chunks):
        arguments = [device.upload(table) for table in (tensors, chunks, constants)]
        kernel = f"adamw_{capability.format}_kernel"
        device.launch(kernel, len(chunks), ELEMENTWISE_THREADS, arguments)
    return _results(device, columns, steps)


_STATE_8BIT = {"m_code": np.uint8, "m_absmax": np.float32, "v_code": np.uint8, "v_absmax": np.float32}


def _adamw_8bit(
    device: Device, capability: Capability, hypers: Sequence[Any], slots: Sequence[Slot]
) -> list[Stepped]:
    for h in hypers:
        require_offered(h, {**DIALECT_8BIT, **QUANTIZER})
    float32 = np.dtype(np.float32)
    steps = [int(slot.state["t"]) + 1 for slot in slots]
    grads = _uploaded(device, "grad", (s.grad for s in slots), float32)
    columns = {"param": _uploaded(device, "param", (s.param for s in slots), float32)}
    for name, dtype in _STATE_8BIT.items():
        columns[name] = _uploaded(device, name, (s.state[name] for s in slots), dtype)
    for key in dict.fromkeys((h.block_size, h.map) for h in hypers):
        members = [i for i, h in enumerate(hypers) if (h.block_size, h.map) == key]
        sizes = np.array([slots[i].param.size for i in members], dtype=np.int64)
        constants, index = constant_table(
            device, [hypers[i] for i in members], [steps[i] for i in members]
        )
        pointers = [[column[i] for i in members] for column in (grads, *columns.values())]
        pointers[0], pointers[1] = pointers[1], pointers[0]
        tensors, chunks = tensor_table((*pointers, sizes, index)), chunk_table(sizes)
        if not len(chunks):
            continue
        (signed, m_zero), (unsigned, v_zero) = map_table(True, key[1]), map_table(False, key[1])
        _blockwise(
            device,
            "adamw_8bit_kernel",
            (tensors, chunks),
            (constants, np.concatenate([signed, unsigned])),
            (np.uint32(m_zero), np.uint32(v_zero), np.int32(key[0])),
        )
    return _results(device, columns, steps)


def _blockwise(
    device: Device,
    kernel: str,
    plan: tuple[NDArray[np.int64], NDArray[np.int64]],
    tables: Sequence[Array],
    scalars: Sequence[np.generic],
) -> None:
    count = len(plan[1])
    arguments = [
        *map(device.upload, plan),
        np.int64(count),
        *map(device.upload, tables),
        *scalars,
    ]
    device.launch(kernel, min(count, device.resident_blocks), BLOCKWISE_THREADS, arguments)


STEPS: Mapping[str, Callable[..., list[Stepped]]] = {"adamw": _adamw, "adamw_8bit": _adamw_8bit}


def _coded(
    device: Device, kernel: str, x: Buffer, code: Buffer, absmax: Buffer, size: int, h: Any
) -> None:
    sizes = np.array([size], dtype=np.int64)
    plan = (tensor_table(([x], [code], [absmax], sizes)), chunk_table(sizes))
    table, zero = map_table(h.signed, h.map)
    scalars: list[np.generic] = [np.int32(h.block_size)]
    if kernel == "dynamic_8bit_quantize_kernel":
        scalars.insert(0, np.uint32(zero))
    if size:
        _blockwise(device, kernel, plan, (table,), scalars)


def _encode_dynamic_8bit(device: Device, h: Any, x: Array) -> dict[str, Array]:
    require_offered(h, QUANTIZER)
    [source] = _uploaded(device, "x", [x], np.float32)
    code = device.upload(np.zeros(x.shape, np.uint8))
    absmax = device.upload(np.zeros(-(-x.size // h.block_size), np.float32))
    _coded(device, "dynamic_8bit_quantize_kernel", source, code, absmax, x.size, h)
    return {"code": device.download(code), "absmax": device.download(absmax)}


def _decode_dynamic_8bit(device: Device, h: Any, stored: Mapping[str, Array]) -> Array:
    shape, size = stored["code"].shape, stored["code"].size
    blocks = -(-size // h.block_size)
    if stored["absmax"].size != blocks:
        raise ValueError(f"absmax must have {blocks} elements, got {stored['absmax'].size}")
    [code] = _uploaded(device, "code", [stored["code"]], np.uint8)
    [absmax] = _uploaded(device, "absmax", [stored["absmax"]], np.float32)
    x = device.upload(np.zeros(shape, np.float32))
    _coded(device, "dynamic_8bit_dequantize_kernel", x, code, absmax, size, h)
    return device.download(x)


def _encode_bfloat16(device: Device, h: Any, x: Array) -> dict[str, Array]:
    require_offered(h, {"rounding": "nearest_even", "overflow": "infinity"})
    [source] = _uploaded(device, "x", [x], np.float32)
    code = device.upload(np.zeros(x.shape, np.uint16))
    _elementwise(device, "bfloat16_encode_kernel", source, code, x.size)
    return {"code": device.download(code)}


def _decode_bfloat16(device: Device, h: Any, stored: Mapping[str, Array]) -> Array:
    [code] = _uploaded(device, "code", [stored["code"]], np.uint16)
    x = device.upload(np.zeros(stored["code"].shape, np.float32))
    _elementwise(device, "bfloat16_decode_kernel", code, x, stored["code"].size)
    return device.download(x)


def _elementwise(device: Device, kernel: str, source: Buffer, target: Buffer, size: int) -> None:
    blocks = -(-size // ELEMENTWISE_THREADS)
    if blocks:
        grid = min(blocks, device.resident_blocks)
        device.launch(kernel, grid, ELEMENTWISE_THREADS, (source, target, np.int64(size)))


ENCODERS: Mapping[str, Callable[..., dict[str, Array]]] = {
    "bfloat16": _encode_bfloat16,
    "dynamic_8bit": _encode_dynamic_8bit,
}
DECODERS: Mapping[str, Callable[..., Array]] = {
    "bfloat16": _decode_bfloat16,
    "dynamic_8bit": _decode_dynamic_8bit,
}
