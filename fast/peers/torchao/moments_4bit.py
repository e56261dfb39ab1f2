"""The two 4-bit maps of torchao's optimizers, packed two codes to a byte, the first one high."""

import numpy as np
import torch
from torchao.optim import subclass_4bit
from torchao.optim.subclass_4bit import OptimState4bit

from truestep.fast.peers.torchao.layouts import Layout
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper

# scale_tensor and quantize_fp8 clip absmax from below, in float32.
FLOOR = float(np.float32(1e-12))
BLOCKS = (128, 64, 256)
# By the reference's name: signed for first moments, unsigned for second ones.
MAPS = {
    "dynamic_4bit": torch.tensor(subclass_4bit.get_qmap_signed()),
    "linear_4bit": torch.tensor(subclass_4bit.get_qmap_unsigned()),
}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Both maps."""
    return tuple(
        QuantizerCapability(
            rule=rule, dialect={"ties": "upper"}, fixed={"block_size": BLOCKS, "least": FLOOR}
        )
        for rule in MAPS
    )


def packed(rule: str, code: Array | torch.Tensor, scale: torch.Tensor) -> OptimState4bit:
    """torchao's tensor of these codes, a row."""
    codes = torch.as_tensor(code).reshape(-1)
    signed = rule == "dynamic_4bit"
    both = codes[::2] << 4 | codes[1::2]
    return OptimState4bit(both, scale, MAPS[rule], signed, codes.shape, dtype=torch.float32)


def unpacked(moment: OptimState4bit) -> torch.Tensor:
    """Its codes, one to a byte."""
    return torch.stack([moment.codes >> 4, moment.codes & 15], dim=-1).reshape(-1)


def encode(
    capability: QuantizerCapability, hyper: Hyper, where: Layout, x: Array
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes as bytes, and scales."""
    given = where.extended(x)
    blocks = given.numel() // hyper.block_size
    empty = torch.zeros(given.numel(), dtype=torch.uint8)
    moment = packed(capability.rule, empty, torch.zeros(blocks))
    moment.copy_(given.reshape(-1))
    return unpacked(moment).reshape(given.shape), moment.scale


def decode(
    capability: QuantizerCapability, hyper: Hyper, where: Layout, code: Array, scale: Array
) -> torch.Tensor:
    """The numbers that codes and scales stand for."""
    codes = where.extended(code)
    moment = packed(capability.rule, codes, where.scales(scale).reshape(-1))
    return moment.dequantize().reshape(codes.shape)
