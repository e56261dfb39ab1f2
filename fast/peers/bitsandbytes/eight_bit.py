"""AdamW on 8-bit moments in bitsandbytes: optimizer_update_8bit_blockwise, which its classes call.

A class of bitsandbytes.optim keeps 8-bit state of tensors of 4096 elements and more alone. "adam"
decays as AdamW does.
"""

from collections.abc import Mapping

import numpy as np
import torch
from bitsandbytes import functional

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, OptimizerCapability, Slot, Stepped, Storage
from truestep.reference.declared import Hyper

# The optimizer's block length, in _optimizer_update_8bit_blockwise_cpu.
BLOCK = 256


def capability(dialect: Mapping[str, str]) -> OptimizerCapability:
    """AdamW with moments in the dialect that the library's maps and its quantizer have."""
    return OptimizerCapability(
        rule="adamw",
        dialect={"decay": "before"},
        variant="8bit",
        fixed={"maximize": False},
        storage={
            name: Storage("dynamic_8bit", {"signed": name == "m", "block_size": BLOCK, **dialect})
            for name in ("m", "v")
        },
    )


def stepped(maps: Mapping[bool, torch.Tensor], hyper: Hyper, slot: Slot) -> Stepped:
    """One step on contiguous copies; maps: the library's, signed and unsigned."""
    param = _contiguous(slot.param)
    state = {name: _contiguous(x) for name, x in slot.state.items() if name != "t"}
    t = slot.state["t"] + 1
    functional.optimizer_update_8bit_blockwise(
        "adam",
        _contiguous(slot.grad),
        param,
        state["m_code"],
        state["v_code"],
        hyper.beta1,
        hyper.beta2,
        0.0,
        0.0,
        hyper.eps,
        t,
        hyper.lr,
        maps[True],
        maps[False],
        state["m_absmax"],
        state["v_absmax"],
        hyper.weight_decay,
    )
    stored = {name: from_tensor(x) for name, x in state.items()}
    return Stepped(from_tensor(param), {**stored, "t": t})


def _contiguous(x: Array) -> torch.Tensor:
    return to_tensor(np.ascontiguousarray(x).reshape(x.shape))
