"""Symmetric integers in torchao.quantization.quant_primitives, on ranges without the least number.

quant_min and quant_max are given as -(2^(bits - 1) - 1) and its opposite, which makes the scale
absmax over that; torchao's own defaults reach one farther below zero and divide by half the sum,
127.5 of 8 bits. No scale is below the least normal number of float32. Empty tensors, which have no
extreme, do not reach it.
"""

import torch
from torchao.quantization import quant_primitives
from torchao.quantization.quant_primitives import MappingType

from truestep.fast.peers.torchao.layouts import Layout
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper

LEAST = torch.finfo(torch.float32).smallest_normal
RULES = (*(f"int{bits}" for bits in range(2, 9)), "int4_rows", "int8_rows", "int8_tensor")


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Every width, in groups, rows and tensors."""
    return tuple(
        QuantizerCapability(rule=rule, dialect={"normalise": "reciprocal"}, fixed={"least": LEAST})
        for rule in RULES
    )


def encode(
    capability: Capability, hyper: Hyper, where: Layout, x: Array
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes as bytes, and scales."""
    bits = _bits(capability)
    given, most = where.extended(x), 2 ** (bits - 1) - 1
    scale, zero = quant_primitives.choose_qparams_affine(
        given, MappingType.SYMMETRIC, where.group, torch.int8, -most, most, keepdim=True
    )
    made = quant_primitives.quantize_affine(
        given, where.group, scale, zero, torch.int8, -most, most
    )
    return made.view(torch.uint8) & (2**bits - 1), scale


def decode(
    capability: Capability, hyper: Hyper, where: Layout, code: Array, scale: Array
) -> torch.Tensor:
    """The numbers that codes and scales stand for."""
    bits = _bits(capability)
    codes, scales = where.extended(code).to(torch.int16), where.scales(scale)
    signed = torch.where(codes < 2 ** (bits - 1), codes, codes - 2**bits).to(torch.int8)
    return quant_primitives.dequantize_affine(signed, where.group, scales, None, torch.int8)


def _bits(capability: Capability) -> int:
    return int(capability.rule[3])
