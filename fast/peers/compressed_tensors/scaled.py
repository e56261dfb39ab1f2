"""Integers and 8-bit floats with a float32 scale, by group, channel, tensor and block.

The extreme becomes half of the library's range: 448, or of integers half of the sum of both ends,
which saturates at the upper one. Integers are packed into words of 32 bits as pack_quantized does.
"""

import torch

from truestep.fast.peers.compressed_tensors.library import (
    QuantizationArgs,
    calculate_qparams,
    dequantize,
    pack_to_int32,
    quantize,
    unpack_from_int32,
)
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.torchao.layouts import Layout
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.format_rows import ROWS

FLOATS = tuple(f"e4m3_{grouping}s" for grouping in ("block", "row", "tensor", "tile"))
INTEGERS = (
    "int3_full", "int4_full", "int4_full_rows", "int8_full", "int8_full_rows", "int8_full_tensor",
)  # fmt: skip
PACKING = "pack_quantized"
STRATEGIES = {"block": "group", "row": "channel", "tensor": "tensor", "tile": "block"}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Every grouping; no scale but zero has a limit."""
    return tuple(
        QuantizerCapability(
            rule=rule,
            dialect={"zero_scale": "epsilon"},
            fixed={"least": 0.0},
            packing="" if rule in FLOATS else PACKING,
        )
        for rule in (*FLOATS, *INTEGERS)
    )


def encode(rule: str, hyper: Hyper, where: Layout, x: Array) -> tuple[Array, torch.Tensor]:
    """Codes as bytes, or packed, and scales."""
    args = arguments(rule, hyper)
    extended = where.extended(x)
    given = matrix(extended)
    scale, _ = calculate_qparams(*extremes(where, given), args)
    code = quantize(given, scale, None, args, dtype=args.pytorch_dtype()).reshape(extended.shape)
    if rule in FLOATS:
        return where.cut(code.view(torch.uint8)), scale
    return packed(where.cut(code), args.num_bits), scale


def decode(rule: str, hyper: Hyper, where: Layout, code: Array, scale: Array) -> torch.Tensor:
    """The numbers that codes and scales stand for."""
    args = arguments(rule, hyper)
    held = code if rule in FLOATS else unpacked(code, where.shape, args.num_bits)
    extended = where.extended(held)
    given, scales = matrix(extended), matrix(where.scales(scale))
    made = given.view(torch.float8_e4m3fn) if rule in FLOATS else given
    return dequantize(made, scales, None, args).reshape(extended.shape)


def arguments(rule: str, hyper: Hyper) -> QuantizationArgs:
    """The library's scheme."""
    row = ROWS[rule]
    strategy = STRATEGIES[row.grouping]
    size = {"group_size": row.block or hyper.block_size} if strategy == "group" else {}
    sides = {"block_structure": [row.block, row.block]} if strategy == "block" else {}
    bits, kind = (8, "float") if rule in FLOATS else (int(rule[3]), "int")
    return QuantizationArgs(num_bits=bits, type=kind, strategy=strategy, **size, **sides)


def matrix(x: torch.Tensor) -> torch.Tensor:
    """The matrix that the library takes: matrices of whole tiles, one below the other."""
    return x.reshape(-1, x.shape[-1])


def extremes(where: Layout, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The least and the largest number of every group, in the library's shape of scales."""
    down, across = where.group[-2:]
    parts = x.reshape(x.shape[0] // down, down, x.shape[1] // across, across)
    return parts.amin(dim=(1, 3)), parts.amax(dim=(1, 3))


def packed(code: Array, bits: int) -> Array:
    """The rows of words in which signed codes are packed."""
    rows = code.reshape(-1, code.shape[-1] if code.ndim else 1)
    return from_tensor(pack_to_int32(to_tensor(rows), bits))


def unpacked(words: Array, shape: tuple[int, ...], bits: int) -> Array:
    """The signed codes in rows of words, in the tensor's shape."""
    rows = torch.Size((len(words), shape[-1] if shape else 1))
    return from_tensor(unpack_from_int32(to_tensor(words), bits, rows)).reshape(shape)
