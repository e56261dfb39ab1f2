"""Asymmetric integers: a scale and a zero point for every group, row or tensor.

calculate_qparams has 0 in every range; it adds the least code, -128 or -8, to the quotient before
it rounds a zero point, and quantize the zero point to the quotient of an element. Codes are packed
as symmetric ones are: see ``scaled``. Zero points are stored here less the least code.
"""

from collections.abc import Mapping

import numpy as np
import torch

from truestep.fast.peers.compressed_tensors.library import (
    QuantizationArgs,
    calculate_qparams,
    dequantize,
    quantize,
)
from truestep.fast.peers.compressed_tensors.scaled import (
    PACKING,
    STRATEGIES,
    extremes,
    matrix,
    packed,
    unpacked,
)
from truestep.fast.peers.torch_tensors import from_tensor
from truestep.fast.peers.torchao.layouts import Layout
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.affine_formats import FORMATS
from truestep.reference.declared import Hyper

RULES = tuple(rule for rule, format in FORMATS.items() if format.second == "zero_point")


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Every grouping and width; no scale but zero has a limit."""
    dialect = {"range": "with_zero", "sum": "before", "zero_scale": "epsilon"}
    return tuple(
        QuantizerCapability(rule=rule, dialect=dialect, fixed={"least": 0.0}, packing=PACKING)
        for rule in RULES
    )


def encode(rule: str, hyper: Hyper, where: Layout, x: Array) -> tuple[Array, Array, Array]:
    """Packed codes, scales and zero points."""
    args, half = _arguments(rule, hyper)
    extended = where.extended(x)
    given = matrix(extended)
    scale, zero = calculate_qparams(*extremes(where, given), args)
    code = quantize(given, scale, zero, args, dtype=args.pytorch_dtype()).reshape(extended.shape)
    kept = from_tensor(zero.contiguous()).astype(np.int16).reshape(-1) + half
    words = packed(where.cut(code), args.num_bits)
    return words, from_tensor(scale.contiguous()).reshape(-1), kept.astype(np.uint8)


def decode(rule: str, hyper: Hyper, where: Layout, stored: Mapping[str, Array]) -> torch.Tensor:
    """The numbers that codes, scales and zero points stand for."""
    args, half = _arguments(rule, hyper)
    extended = where.extended(unpacked(stored["code"], where.shape, args.num_bits))
    zero = (stored["zero_point"].astype(np.int16) - half).astype(np.int8)
    scales, zeros = (matrix(where.scales(held)) for held in (stored["scale"], zero))
    return dequantize(matrix(extended), scales, zeros, args).reshape(extended.shape)


def _arguments(rule: str, hyper: Hyper) -> tuple[QuantizationArgs, int]:
    """The library's scheme, and by how much its codes are below those of the reference."""
    row, bits = FORMATS[rule].row, FORMATS[rule].bits
    size = {"group_size": hyper.block_size} if row.grouping == "block" else {}
    strategy = STRATEGIES[row.grouping]
    made = QuantizationArgs(num_bits=bits, type="int", strategy=strategy, symmetric=False, **size)
    return made, 2 ** (bits - 1)
