"""MX formats and NVFP4 of one level in torchao.prototype.mx_formats, along rows of whole blocks.

to_mx has four ways to choose a block's scale, called as in the reference. RCEIL is documented as
cuBLAS' conversion, which saturates: an infinity has the largest scale. nvfp4_quantize without a
scale for the tensor has no block scale below 2^-6 (E4M3_EPS), and multiplies by its reciprocal. An
empty tensor, which that cannot reshape, does not reach it. Codes of four bits stay packed.
"""

from collections.abc import Mapping

import torch
from torchao.prototype.mx_formats import nvfp4_tensor
from torchao.prototype.mx_formats.config import ScaleCalculationMode
from torchao.prototype.mx_formats.constants import DTYPE_FP6_E2M3, DTYPE_FP6_E3M2
from torchao.prototype.mx_formats.mx_tensor import to_dtype, to_mx

from truestep.fast.peers.torch_tensors import to_tensor
from truestep.fast.peers.torchao.layouts import Layout
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper

BLOCK, NV_BLOCK = 32, 16
ELEMENTS: Mapping[str, torch.dtype | str] = {
    "mxfp4": torch.float4_e2m1fn_x2,
    "mxfp6_e2m3": DTYPE_FP6_E2M3,
    "mxfp6_e3m2": DTYPE_FP6_E3M2,
    "mxfp8_e4m3": torch.float8_e4m3fn,
    "mxfp8_e5m2": torch.float8_e5m2,
}
_PACKED = {"mxfp4": "pairs_low_first", "nvfp4": "pairs_low_first"}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Every element of MX by every rule of its scale, and NVFP4."""
    return (
        *(
            QuantizerCapability(
                rule=rule,
                dialect={"rule": mode.value, **({"infinity": "largest"} if rceil else {})},
                variant=mode.value,
                multiple=BLOCK,
                packing=_PACKED.get(rule, ""),
            )
            for rule in ELEMENTS
            for mode in ScaleCalculationMode
            for rceil in [mode == ScaleCalculationMode.RCEIL]
        ),
        QuantizerCapability(
            rule="nvfp4",
            dialect={"normalise": "reciprocal"},
            fixed={"least": nvfp4_tensor.E4M3_EPS},
            multiple=NV_BLOCK,
            packing=_PACKED["nvfp4"],
        ),
    )


def encode(
    capability: Capability, hyper: Hyper, where: Layout, x: Array
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes and scales as bytes."""
    if capability.rule == "nvfp4":
        scale, code = nvfp4_tensor.nvfp4_quantize(where.extended(x), NV_BLOCK)
    else:
        mode = ScaleCalculationMode(hyper.rule)
        scale, code = to_mx(where.extended(x), ELEMENTS[capability.rule], BLOCK, mode)
    return code.view(torch.uint8), scale.view(torch.uint8)


def decode(
    capability: Capability, hyper: Hyper, where: Layout, code: Array, scale: Array
) -> torch.Tensor:
    """The numbers that codes and scales stand for."""
    codes = to_tensor(code) if capability.rule in _PACKED else where.extended(code)
    scales = where.scales(scale)
    if capability.rule == "nvfp4":
        scales = scales.view(torch.float8_e4m3fn)
        made = nvfp4_tensor.NVFP4Tensor(codes, scales, NV_BLOCK, torch.float32)
        return made.dequantize()
    elements = ELEMENTS[capability.rule]
    if elements in (torch.float8_e4m3fn, torch.float8_e5m2):
        codes = codes.view(elements)
    return to_dtype(codes, scales, elements, BLOCK, torch.float32)
