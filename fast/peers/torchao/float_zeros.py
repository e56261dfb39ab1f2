"""Affine integers with float zero points in torchao.quantization.quant_primitives.

"tinygemm" is ZeroPointDomain.FLOAT; "hqq" is _choose_qparams_and_quantize_affine_hqq without its
search, in eight bits, since in four it rounds its zero points; no scale of it is below 1/2e4, and
what reads it, (W_q - zero) scale, is here, torchao leaving that to its callers. Behind the end of a
tensor its last element is repeated. Empty tensors do not reach the library.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torchao.quantization import quant_primitives
from torchao.quantization.quant_primitives import MappingType

from truestep.fast.peers.torch_tensors import from_tensor
from truestep.fast.peers.torchao.integers import LEAST
from truestep.fast.peers.torchao.layouts import layout
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.float_zero_points import FORMATS

RULES = tuple(FORMATS)
# The reciprocal of what HQQ's scale is limited to.
_HQQ_LEAST = float(np.float32(1) / np.float32(2e4))


def capabilities() -> tuple[QuantizerCapability, ...]:
    """tinygemm's of both widths, and HQQ's."""
    tinygemm = tuple(
        QuantizerCapability(
            rule=rule,
            dialect={"normalise": "divide", "zero": "middle"},
            fixed={"least": LEAST},
            variant="tinygemm",
        )
        for rule in RULES
    )
    hqq = QuantizerCapability(
        rule="uint8_float_zero",
        dialect={"normalise": "reciprocal", "zero": "code"},
        fixed={"least": _HQQ_LEAST},
        variant="hqq",
    )
    return (*tinygemm, hqq)


def encode(capability: QuantizerCapability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
    """Codes, scales and zero points."""
    if not x.size:
        none = np.zeros(0, np.float32)
        return {"code": np.zeros(x.shape, np.uint8), "scale": none, "zero_point": none}
    where, top = layout(capability, hyper, x.shape), FORMATS[capability.rule].top
    given = where.repeated(x)
    if capability.variant == "hqq":
        code, scale, zero, _ = quant_primitives._choose_qparams_and_quantize_affine_hqq(
            given, 8, where.group[-1], optimize=False, compute_dtype=torch.float32,
            device="cpu", raw_output=True,
        )  # fmt: skip
    else:
        scale, zero = quant_primitives._choose_qparams_affine_tinygemm(
            given, MappingType.ASYMMETRIC, where.group, torch.uint8, 0, top
        )
        code = quant_primitives._quantize_affine_tinygemm(
            given, where.group, scale, zero, torch.uint8, 0, top
        )
    beside = {"scale": scale, "zero_point": zero}
    kept = {name: from_tensor(held.contiguous()).reshape(-1) for name, held in beside.items()}
    return {"code": where.cut(code), **kept}


def decode(capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
    """The numbers that codes, scales and zero points stand for."""
    code = stored["code"]
    if not code.size:
        return np.zeros(code.shape, np.float32)
    where, top = layout(capability, hyper, code.shape), FORMATS[capability.rule].top
    scales, zeros = where.scales(stored["scale"]), where.scales(stored["zero_point"])
    codes = where.extended(code)
    if capability.variant == "hqq":
        groups = codes.reshape(scales.numel(), -1).float()
        made = (groups - zeros.reshape(-1, 1)) * scales.reshape(-1, 1)
        return where.cut(made.reshape(codes.shape))
    made = quant_primitives._dequantize_affine_tinygemm(
        codes, where.group, scales, zeros, torch.uint8, 0, top
    )
    return where.cut(made)
