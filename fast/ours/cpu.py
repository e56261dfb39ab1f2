"""The C++ kernels as a backend to certify; ``truestep.fast.ours.cpu_plans`` steps them in place."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from truestep.fast import _core
from truestep.fast.ours import cpu_plans
from truestep.fast.ours.cpu_plans import AdamW, AdamW8bit
from truestep.fast.ours.offered import (
    CAPABILITIES,
    CODED,
    MOMENTS,
    QUANTIZER,
    Blocks,
    chosen,
    require_offered,
    stepped,
)
from truestep.fast.protocol import Array, Capability, DType, Group, Slot, Stepped, numpy_dtype
from truestep.reference.declared import Hyper

__all__ = ["AdamW", "AdamW8bit", "Backend"]


class Backend:
    """TrueStep's own C++ kernels. Inputs are copied; nothing that is passed in is written."""

    name = "cpu"

    def capabilities(self) -> Sequence[Capability]:
        """AdamW in float32, with bfloat16 parameters and with 8-bit moments; two quantizers."""
        return CAPABILITIES

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on every slot of every group, all of them in one call per block size."""
        return stepped("cpu", capability, groups, partial(adamw_step, capability))

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The stored form of the float32 x: code, and for blocks absmax."""
        return chosen(ENCODERS, capability, "cpu")(hyper, x)

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that stored, as encode gives it, stands for."""
        return chosen(DECODERS, capability, "cpu")(hyper, stored)


def copied(name: str, tensor: Array, dtype: DType) -> Array:
    """A writable C-contiguous copy; raises rather than convert."""
    if tensor.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, got {tensor.dtype}")
    return np.array(tensor, order="C", copy=True)


def copied_state(slots: Sequence[Slot], dtypes: Mapping[str, str]) -> dict[str, list[Array]]:
    """Copies of every state array, by the field's name, in the order of the slots."""
    return {
        name: [copied(name, slot.state[name], np.dtype(dtype)) for slot in slots]
        for name, dtype in dtypes.items()
    }


def results(
    params: Sequence[Array], steps: Sequence[int], state: Mapping[str, Sequence[Array]]
) -> list[Stepped]:
    """One result per parameter."""
    return [
        Stepped(p, {"t": t, **{name: arrays[i] for name, arrays in state.items()}})
        for i, (p, t) in enumerate(zip(params, steps, strict=True))
    ]


def adamw_step(
    capability: Capability, hypers: Sequence[Hyper], blocks: Sequence[Blocks], slots: Sequence[Slot]
) -> list[Stepped]:
    """AdamW on copies: one call per block size and map, of moments in float32 one for all."""
    dtype = numpy_dtype(capability.format)
    params = [copied("param", slot.param, dtype) for slot in slots]
    grads = [copied("grad", slot.grad, dtype) for slot in slots]
    state = copied_state(slots, CODED if any(blocks) else MOMENTS)
    steps = [int(slot.state["t"]) + 1 for slot in slots]
    for key in dict.fromkeys(blocks):
        members = [i for i, of in enumerate(blocks) if of == key]
        given = {"params": params, "grads": grads, **state}
        own = {name: [column[i] for i in members] for name, column in given.items()}
        plan = AdamW8bit(**own, block_size=key[0], kind=key[1]) if key else AdamW(**own)
        plan.step([hypers[i] for i in members], [steps[i] for i in members])
    return results(params, steps, state)


def encode_bfloat16(h: Hyper, x: Array) -> dict[str, Array]:
    """The nearest bfloat16 codes, ties to even, overflow to infinity."""
    require_offered(h, {"rounding": "nearest_even", "overflow": "infinity"}, "cpu")
    flat = np.ascontiguousarray(x).reshape(-1)
    if flat.dtype != cpu_plans.FLOAT32:
        raise TypeError(f"x must be float32, got {x.dtype}")
    code = np.empty(flat.size, dtype=np.uint16)
    _core.bfloat16_encode(flat, code)
    return {"code": code.reshape(x.shape)}


def decode_bfloat16(h: Hyper, stored: Mapping[str, Array]) -> Array:
    """The float32 numbers of uint16 codes."""
    code = stored["code"]
    if code.dtype != np.uint16:
        raise TypeError(f"code must be uint16, got {code.dtype}")
    flat = np.ascontiguousarray(code).reshape(-1)
    x = np.empty(flat.size, dtype=np.float32)
    _core.bfloat16_decode(flat, x)
    return x.reshape(code.shape)


def encode_dynamic_8bit(h: Hyper, x: Array) -> dict[str, Array]:
    """Codes of the map that h names, and one absmax per block."""
    require_offered(h, QUANTIZER, "cpu")
    code, absmax = cpu_plans.quantize(x, h.signed, h.block_size, h.map)
    return {"code": code, "absmax": absmax}


def decode_dynamic_8bit(h: Hyper, stored: Mapping[str, Array]) -> Array:
    """Value times absmax, rounded to float32."""
    return cpu_plans.dequantize(stored["code"], stored["absmax"], h.signed, h.block_size, h.map)


ENCODERS: Mapping[str, Callable[..., dict[str, Array]]] = {
    "bfloat16": encode_bfloat16,
    "dynamic_8bit": encode_dynamic_8bit,
}
DECODERS: Mapping[str, Callable[..., Array]] = {
    "bfloat16": decode_bfloat16,
    "dynamic_8bit": decode_dynamic_8bit,
}
