"""The protocol of backends on top of the CUDA kernels: the same for a GPU and for cuda_on_cpu."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import DTypeLike

from truestep.fast.ours.cuda_plan import (
    Buffer,
    Device,
    OptimizerPlan,
    addresses_of,
    coded,
    elementwise,
    map_table,
)
from truestep.fast.ours.offered import (
    CODED,
    MOMENTS,
    QUANTIZER,
    Blocks,
    chosen,
    require_offered,
    stepped,
)
from truestep.fast.protocol import Array, Capability, Group, Slot, Stepped, numpy_dtype
from truestep.reference.declared import Hyper


def optimizer_step(
    device: Device, capability: Capability, groups: Sequence[Group]
) -> list[list[Stepped]]:
    """One step on every slot of every group, in one launch per block size."""
    return stepped("CUDA", capability, groups, partial(_adamw, device, capability))


def encode(device: Device, capability: Capability, hyper: Hyper, x: Array) -> dict[str, Array]:
    """The stored form of the float32 x: code, and for blocks absmax."""
    return chosen(ENCODERS, capability, "CUDA")(device, hyper, x)


def decode(
    device: Device, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]
) -> Array:
    """The float32 numbers that stored, as encode gives it, stands for."""
    return chosen(DECODERS, capability, "CUDA")(device, hyper, stored)


def _uploaded(device: Device, name: str, arrays: Iterable[Array], dtype: DTypeLike) -> list[Buffer]:
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
    device: Device,
    capability: Capability,
    hypers: Sequence[Hyper],
    blocks: Sequence[Blocks],
    slots: Sequence[Slot],
) -> list[Stepped]:
    dtype = numpy_dtype(capability.format)
    steps = [int(slot.state["t"]) + 1 for slot in slots]
    grads = _uploaded(device, "grad", (s.grad for s in slots), dtype)
    columns = {"param": _uploaded(device, "param", (s.param for s in slots), dtype)}
    for name, kept in (CODED if any(blocks) else MOMENTS).items():
        columns[name] = _uploaded(device, name, (s.state[name] for s in slots), np.dtype(kept))
    param, *state = columns.values()
    for key in dict.fromkeys(blocks):
        members = [i for i, of in enumerate(blocks) if of == key]
        pointers = [addresses_of(c[i] for i in members) for c in (param, grads, *state)]
        plan = OptimizerPlan(device, pointers, [slots[i].param.size for i in members])
        given = [hypers[i] for i in members], [steps[i] for i in members]
        if key:
            plan.adamw_8bit(*given, *key)
        else:
            plan.adamw(capability.format, *given)
    return _results(device, columns, steps)


def _encode_dynamic_8bit(device: Device, h: Hyper, x: Array) -> dict[str, Array]:
    require_offered(h, QUANTIZER, "CUDA")
    [source] = _uploaded(device, "x", [x], np.float32)
    code = device.upload(np.zeros(x.shape, np.uint8))
    absmax = device.upload(np.zeros(-(-x.size // h.block_size), np.float32))
    zero = np.uint32(map_table(h.signed, h.map)[1])
    kernel = "dynamic_8bit_quantize_kernel"
    coded(device, kernel, (source, code, absmax), x.size, h, zero)
    return {"code": device.download(code), "absmax": device.download(absmax)}


def _decode_dynamic_8bit(device: Device, h: Hyper, stored: Mapping[str, Array]) -> Array:
    shape, size = stored["code"].shape, stored["code"].size
    blocks = -(-size // h.block_size)
    if stored["absmax"].size != blocks:
        raise ValueError(f"absmax must have {blocks} elements, got {stored['absmax'].size}")
    [code] = _uploaded(device, "code", [stored["code"]], np.uint8)
    [absmax] = _uploaded(device, "absmax", [stored["absmax"]], np.float32)
    x = device.upload(np.zeros(shape, np.float32))
    coded(device, "dynamic_8bit_dequantize_kernel", (x, code, absmax), size, h)
    return device.download(x)


def _encode_bfloat16(device: Device, h: Hyper, x: Array) -> dict[str, Array]:
    require_offered(h, {"rounding": "nearest_even", "overflow": "infinity"}, "CUDA")
    [source] = _uploaded(device, "x", [x], np.float32)
    code = device.upload(np.zeros(x.shape, np.uint16))
    elementwise(device, "bfloat16_encode_kernel", source, code, x.size)
    return {"code": device.download(code)}


def _decode_bfloat16(device: Device, h: Hyper, stored: Mapping[str, Array]) -> Array:
    [code] = _uploaded(device, "code", [stored["code"]], np.uint16)
    x = device.upload(np.zeros(stored["code"].shape, np.float32))
    elementwise(device, "bfloat16_decode_kernel", code, x, stored["code"].size)
    return device.download(x)


ENCODERS: Mapping[str, Callable[..., dict[str, Array]]] = {
    "bfloat16": _encode_bfloat16,
    "dynamic_8bit": _encode_dynamic_8bit,
}
DECODERS: Mapping[str, Callable[..., Array]] = {
    "bfloat16": _decode_bfloat16,
    "dynamic_8bit": _decode_dynamic_8bit,
}
