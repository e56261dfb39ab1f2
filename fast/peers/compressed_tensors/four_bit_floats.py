"""NVFP4 under a scale of the tensor, and MXFP4, whose codes stay packed.

NVFP4's block scales are e4m3 numbers over the global scale, which is the reciprocal of the tensor's
scale. MXFP4's are powers of two kept as bytes. The numbers are decoded in float32 where the
library's compressors would give bfloat16.
"""

import torch

from truestep.fast.peers.compressed_tensors.library import (
    QuantizationArgs,
    calculate_qparams,
    compress_mx_scale,
    decompress_mx_scale,
    dequantize,
    pack_fp4_to_uint8,
    quantize,
    unpack_fp4_from_uint8,
)
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.torchao.layouts import Layout
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper

NV, MX = "nvfp4_two_level", "mxfp4"
PACKING = "pairs_low_first"
# The byte of e4m3's nan without a sign.
_NAN = torch.tensor(127, dtype=torch.uint8)
_ARGUMENTS = {
    MX: QuantizationArgs(
        num_bits=4, type="float", strategy="group", group_size=32, scale_dtype=torch.uint8
    ),
    NV: QuantizationArgs(
        num_bits=4, type="float", strategy="tensor_group", group_size=16,
        scale_dtype=torch.float8_e4m3fn,
    ),
}  # fmt: skip


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Both, of rows of whole blocks, which the library asks for."""
    nv = {"level": "reciprocal", "zero_scale": "epsilon"}
    return (
        QuantizerCapability(rule=MX, dialect={"rule": "even"}, multiple=32, packing=PACKING),
        QuantizerCapability(
            rule=NV, dialect=nv, fixed={"least": 0.0}, multiple=16, packing=PACKING
        ),
    )


def encode(rule: str, hyper: Hyper, where: Layout, x: Array) -> tuple[Array, torch.Tensor]:
    """Pairs of codes, and scales as codes."""
    args, given, second = _ARGUMENTS[rule], where.extended(x), _global(rule, hyper)
    parts = given.unflatten(-1, (-1, args.group_size))
    scale, _ = calculate_qparams(parts.amin(-1), parts.amax(-1), args, global_scale=second)
    packed = pack_fp4_to_uint8(quantize(given, scale, None, args, global_scale=second))
    pairs = from_tensor(packed)
    if rule == MX:
        return pairs, compress_mx_scale(scale, torch.uint8)
    kept = scale.to(args.scale_dtype).view(torch.uint8)
    # Which of the two nans it is, is not specified.
    return pairs, torch.where(scale.isnan(), _NAN, kept)


def decode(rule: str, hyper: Hyper, where: Layout, code: Array, scale: Array) -> torch.Tensor:
    """The numbers that codes and scales stand for."""
    kept = where.scales(scale)
    values = unpack_fp4_from_uint8(to_tensor(code), *where.inner, dtype=torch.float32)
    held = decompress_mx_scale(kept) if rule == MX else kept.view(torch.float8_e4m3fn)
    second = _global(rule, hyper)
    return dequantize(values, held.float(), None, _ARGUMENTS[rule], global_scale=second)


def _global(rule: str, hyper: Hyper) -> torch.Tensor | None:
    return torch.tensor([1 / hyper.tensor_scale]) if rule == NV else None
