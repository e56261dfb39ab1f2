"""Integers and 8-bit floats with a float32 scale, by group, channel, tensor and block.

The extreme becomes half of the library's range: 448, or of integers half of the sum of both ends,
which saturates at the upper one. Integers are packed into words of 32 bits as pack_quantized does,
the first in the lowest, each plus half of the range.
"""

import numpy as np
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
_STRATEGIES = {"block": "group", "row": "channel", "tensor": "tensor", "tile": "block"}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Every grouping; no scale but zero has a limit."""
    return tuple(
        QuantizerCapability(rule=rule, dialect={"zero_scale": "epsilon"}, fixed={"least": 0.0})
        for rule in (*FLOATS, *INTEGERS)
    )


def encode(rule: str, hyper: Hyper, where: Layout, x: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes as bytes, and scales."""
    args = arguments(rule, hyper)
    extended = where.extended(x)
    given = _matrix(extended)
    scale, _ = calculate_qparams(*_extremes(where, given), args)
    code = quantize(given, scale, None, args, dtype=args.pytorch_dtype())
    if rule in FLOATS:
        return code.view(torch.uint8).reshape(extended.shape), scale
    packed = from_tensor(pack_to_int32(code, args.num_bits))
    return to_tensor(_apart(packed, args.num_bits, given.shape[-1])), scale


def decode(rule: str, hyper: Hyper, where: Layout, code: Array, scale: Array) -> torch.Tensor:
    """The numbers that codes and scales stand for."""
    args = arguments(rule, hyper)
    extended = where.extended(code)
    given, scales = _matrix(extended), _matrix(where.scales(scale))
    if rule in FLOATS:
        made = given.view(torch.float8_e4m3fn)
    else:
        packed = to_tensor(_together(from_tensor(given), args.num_bits))
        made = unpack_from_int32(packed, args.num_bits, given.shape)
    return dequantize(made, scales, None, args).reshape(extended.shape)


def arguments(rule: str, hyper: Hyper) -> QuantizationArgs:
    """The library's scheme."""
    row = ROWS[rule]
    strategy = _STRATEGIES[row.grouping]
    size = {"group_size": row.block or hyper.block_size} if strategy == "group" else {}
    sides = {"block_structure": [row.block, row.block]} if strategy == "block" else {}
    bits, kind = (8, "float") if rule in FLOATS else (int(rule[3]), "int")
    return QuantizationArgs(num_bits=bits, type=kind, strategy=strategy, **size, **sides)


def _matrix(x: torch.Tensor) -> torch.Tensor:
    """The matrix that the library takes: matrices of whole tiles, one below the other."""
    return x.reshape(-1, x.shape[-1])


def _extremes(where: Layout, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The least and the largest number of every group, in the library's shape of scales."""
    down, across = where.group[-2:]
    parts = x.reshape(x.shape[0] // down, down, x.shape[1] // across, across)
    return parts.amin(dim=(1, 3)), parts.amax(dim=(1, 3))


def _apart(words: Array, bits: int, columns: int) -> Array:
    """The codes of every row of words, each in a byte, in two's complement of that many bits."""
    raw = np.ascontiguousarray(words).view(np.uint8)
    flags = np.unpackbits(raw, axis=-1, bitorder="little")[:, : columns * bits]
    flags = flags.reshape(*flags.shape[:-1], columns, bits)
    shifted = np.packbits(flags, axis=-1, bitorder="little")[..., 0]
    code: Array = shifted ^ np.uint8(1 << (bits - 1))
    return code


def _together(code: Array, bits: int) -> Array:
    """The rows of words in which these codes are packed."""
    shifted = code ^ np.uint8(1 << (bits - 1))
    flags = np.unpackbits(shifted[..., None], axis=-1, count=bits, bitorder="little")
    flags = flags.reshape(len(code), -1)
    flags = np.pad(flags, [(0, 0), (0, -flags.shape[1] % 32)])
    words: Array = np.packbits(flags, axis=-1, bitorder="little").view(np.int32)
    return words
