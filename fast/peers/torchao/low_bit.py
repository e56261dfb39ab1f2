"""Adam and AdamW in torchao on moments in 8 bits, in 4 bits and in 8-bit floats.

Tensors are extended by zeros to whole blocks, and then cut again, which changes neither a block's
largest magnitude nor an element's step. Empty tensors, of which torchao keeps no quantized state,
do not reach it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torchao.optim.subclass_8bit import OptimState8bit
from torchao.optim.subclass_fp8 import OptimStateFp8

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.torchao.adam import updated
from truestep.fast.peers.torchao.moments_4bit import BLOCKS, FLOOR, packed, unpacked
from truestep.fast.peers.torchao.scaled_floats import LEAST_FP8
from truestep.fast.protocol import Array, Fixed, OptimizerCapability, Slot, Stepped, Storage
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import dynamic_8bit

SIGNED_ZERO = dynamic_8bit.code_of_zero(dynamic_8bit.Hyper(signed=True))
_4BIT = {True: "dynamic_4bit", False: "linear_4bit"}
# By format of the parameters; what is computed is float32.
_ARITHMETIC = {"bfloat16": "float32_hyper_bfloat16_params", "float32": "float32_hyper"}
Maps = Mapping[bool, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Kept:
    """How torchao keeps a moment. zeros: codes of zero, of signed moments and of others.

    made: its tensor of codes, scales, the 8-bit maps and whether it is signed. codes: those in it.
    """

    scale: str
    zeros: Mapping[bool, int]
    made: Callable[[Array, Array, Maps, bool], torch.Tensor]
    codes: Callable[[torch.Tensor], torch.Tensor]


_KEPT = {
    "4bit": Kept(
        "scale",
        {True: 7, False: 0},
        lambda code, scale, maps, signed: packed(_4BIT[signed], to_tensor(code), to_tensor(scale)),
        unpacked,
    ),
    "8bit": Kept(
        "absmax",
        {True: SIGNED_ZERO, False: 0},
        lambda code, scale, maps, signed: OptimState8bit(
            to_tensor(code), to_tensor(scale), maps[signed], signed, dtype=torch.float32
        ),
        lambda moment: moment.codes,
    ),
    "fp8": Kept(
        "scale",
        {True: 0, False: 0},
        lambda code, scale, *_: OptimStateFp8(
            to_tensor(code).view(torch.float8_e4m3fn), to_tensor(scale), dtype=torch.float32
        ),
        lambda moment: moment.codes.view(torch.uint8),
    ),
}


def _storage(kept: str, dialect: Mapping[str, str], *, signed: bool) -> Storage:
    """By the library's quantizer; in 8 bits in the dialect that its map has."""
    if kept == "fp8":
        return Storage("e4m3_blocks", {"block_size": (256, 128), "least": LEAST_FP8})
    if kept == "4bit":
        fields: dict[str, Fixed] = {"block_size": BLOCKS, "least": FLOOR, "ties": "upper"}
        return Storage(_4BIT[signed], fields)
    blocks: dict[str, Fixed] = {"block_size": dynamic_8bit.BLOCK_SIZES, "absmax_floor": FLOOR}
    return Storage("dynamic_8bit", {"signed": signed, **blocks, **dialect})


def capabilities(dialect: Mapping[str, str]) -> tuple[OptimizerCapability, ...]:
    """Both rules, with moments in every format."""
    return tuple(
        OptimizerCapability(
            rule=rule,
            format=format,
            arithmetic=arithmetic,
            dialect=own,
            fixed={"maximize": False},
            variant=f"{kept}_eager",
            level="smoke" if format == "float32" else "standard",
            storage={name: _storage(kept, dialect, signed=name == "m") for name in ("m", "v")},
        )
        for rule, own in (("adam", {}), ("adamw", {"decay": "before"}))
        for kept in _KEPT
        for format, arithmetic in _ARITHMETIC.items()
    )


def stepped(maps: Maps, hyper: Hyper, slot: Slot, block: int, *, kept: str, adamw: bool) -> Stepped:
    """One step on whole blocks; maps: the library's of 8 bits, signed and unsigned."""
    size, shape = slot.param.size, slot.param.shape
    if not size:
        unchanged = {name: x if name == "t" else x.copy() for name, x in slot.state.items()}
        return Stepped(slot.param.copy(), {**unchanged, "t": slot.state["t"] + 1})
    how = _KEPT[kept]
    moments = {
        name: how.made(
            whole(slot.state[f"{name}_code"], block, how.zeros[name == "m"]),
            slot.state[f"{name}_{how.scale}"],
            maps,
            name == "m",
        )
        for name in ("m", "v")
    }
    param, grad = to_tensor(whole(slot.param, block)), to_tensor(whole(slot.grad, block))
    state: dict[str, object] = {"t": updated(hyper, slot, param, grad, moments, adamw=adamw)}
    for name, moment in moments.items():
        state[f"{name}_code"] = from_tensor(how.codes(moment))[:size].reshape(shape)
        state[f"{name}_{how.scale}"] = from_tensor(moment.scale)
    return Stepped(from_tensor(param)[:size].reshape(shape), state)


def whole(x: Array, block: int, fill: int = 0) -> Array:
    """x in C order, extended to whole blocks."""
    out = np.full(-(-x.size // block) * block, fill, x.dtype)
    out[: x.size] = x.reshape(-1)
    return out
