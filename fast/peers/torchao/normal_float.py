"""NF4 in torchao, with the scale of each block as it was found.

to_nf4 then quantizes the scales themselves, around their mean; codes come from what they were, so
that the two are judged apart: what is lost of the scales is not. Codes stay packed, those of zeros
behind the last one cut off.
"""

import torch
from torchao.quantization.quantize_.workflows.nf4 import nf4_tensor
from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import NF4Tensor

from truestep.fast.peers.torch_tensors import to_tensor
from truestep.fast.peers.torchao.layouts import Layout
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper

# The library's table, which it keeps with every tensor.
TABLE = nf4_tensor.to_nf4(torch.ones(64), 64, 1).nf4


def capabilities() -> tuple[QuantizerCapability, ...]:
    """NF4, where the first of two equally near values is taken."""
    return (QuantizerCapability(rule="nf4", packing="pairs_high_first"),)


def encode(
    capability: Capability, hyper: Hyper, where: Layout, x: Array
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of codes, and scales."""
    given = where.extended(x).flatten()
    blocks = given.numel() // hyper.block_size
    scale = nf4_tensor.get_block_absmax(given, hyper.block_size)
    pairs = NF4Tensor.convert_to_norm_float_weight(given, blocks, hyper.block_size, TABLE)
    return pairs.flatten()[: -(-x.size // 2)], scale


def decode(
    capability: Capability, hyper: Hyper, where: Layout, code: Array, scale: Array
) -> torch.Tensor:
    """The numbers that codes and scales stand for."""
    scales = where.scales(scale).repeat_interleave(hyper.block_size, dim=-1)
    pairs = torch.zeros(scales.shape[1] // 2, dtype=torch.uint8)
    pairs[: code.size] = to_tensor(code)
    codes = torch.stack([pairs >> 4, pairs & 15], dim=-1).reshape(1, -1)
    return NF4Tensor.dequantize(codes.long(), TABLE) * scales
