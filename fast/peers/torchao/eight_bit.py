"""Adam and AdamW on 8-bit moments in torchao.

Tensors are extended by zeros to whole blocks, and then cut again, which changes neither a block's
largest magnitude nor an element's step. Empty tensors, of which torchao keeps no quantized state,
do not reach it.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torchao.optim.subclass_8bit import OptimState8bit

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.torchao.adam import updated
from truestep.fast.protocol import Array, Fixed, OptimizerCapability, Slot, Stepped, Storage
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import dynamic_8bit

# scale_tensor clips the scale from below, in float32.
FLOOR = float(np.float32(1e-12))
SIGNED_ZERO = dynamic_8bit.code_of_zero(dynamic_8bit.Hyper(signed=True))


def capabilities(dialect: Mapping[str, str]) -> tuple[OptimizerCapability, ...]:
    """Both rules, with moments in the dialect that the library's quantizer has."""
    blocks: dict[str, Fixed] = {
        "block_size": dynamic_8bit.BLOCK_SIZES,
        "absmax_floor": FLOOR,
        **dialect,
    }
    return tuple(
        OptimizerCapability(
            rule=rule,
            arithmetic="float32_hyper",
            dialect=own,
            fixed={"maximize": False},
            variant="8bit_eager",
            storage={
                name: Storage("dynamic_8bit", {"signed": name == "m", **blocks})
                for name in ("m", "v")
            },
        )
        for rule, own in (("adam", {}), ("adamw", {"decay": "before"}))
    )


def stepped(
    maps: Mapping[bool, torch.Tensor], hyper: Hyper, slot: Slot, block: int, *, adamw: bool
) -> Stepped:
    """One step on whole blocks; maps: the library's, signed and unsigned."""
    size, shape = slot.param.size, slot.param.shape
    if not size:
        kept = {name: x if name == "t" else x.copy() for name, x in slot.state.items()}
        return Stepped(slot.param.copy(), {**kept, "t": slot.state["t"] + 1})
    param = to_tensor(whole(slot.param, block))
    moments = {
        name: OptimState8bit(
            to_tensor(whole(slot.state[f"{name}_code"], block, zero)),
            to_tensor(slot.state[f"{name}_absmax"]),
            maps[name == "m"],
            name == "m",
            dtype=torch.float32,
        )
        for name, zero in (("m", SIGNED_ZERO), ("v", 0))
    }
    grad = to_tensor(whole(slot.grad, block))
    state: dict[str, object] = {"t": updated(hyper, slot, param, grad, moments, adamw=adamw)}
    for name, moment in moments.items():
        state[f"{name}_code"] = from_tensor(moment.codes)[:size].reshape(shape)
        state[f"{name}_absmax"] = from_tensor(moment.scale)
    return Stepped(from_tensor(param)[:size].reshape(shape), state)


def whole(x: Array, block: int, fill: int = 0) -> Array:
    """x in C order, extended to whole blocks."""
    out = np.full(-(-x.size // block) * block, fill, x.dtype)
    out[: x.size] = x.reshape(-1)
    return out
