"""Affine integers in torchao.quantization.quant_primitives: a scale and a zero point for a group.

Ranges hold 0 in choose_qparams_affine, and need not ("own") where it does not preserve it; both
clamp zero points to the codes. No scale is below the least normal number of float32. Zero points
are int32 in the library; here they are bytes. Empty tensors do not reach it.
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
from truestep.reference.affine_formats import FORMATS
from truestep.reference.declared import Hyper

RULES = tuple(rule for rule, format in FORMATS.items() if format.second == "zero_point")
RANGES = ("own", "with_zero")
_CHOOSE = {
    "own": quant_primitives._choose_qparams_affine_dont_preserve_zero,
    "with_zero": quant_primitives.choose_qparams_affine,
}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Every width and grouping, with either range."""
    return tuple(
        QuantizerCapability(
            rule=rule,
            dialect={"normalise": "reciprocal", "range": range, "sum": "after"},
            fixed={"least": LEAST},
            variant=range,
        )
        for rule in RULES
        for range in RANGES
    )


def encode(capability: QuantizerCapability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
    """Codes, scales and zero points."""
    if not x.size:
        none = {name: np.zeros(0, kind) for name, kind in _BESIDE.items()}
        return {"code": np.zeros(x.shape, np.uint8), **none}
    where, top = layout(capability, hyper, x.shape), FORMATS[capability.rule].top
    given = where.repeated(x) if capability.variant == "own" else where.extended(x)
    scale, zero = _CHOOSE[capability.variant](
        given, MappingType.ASYMMETRIC, where.group, torch.uint8, 0, top
    )
    code = quant_primitives.quantize_affine(given, where.group, scale, zero, torch.uint8, 0, top)
    beside = zip(_BESIDE.items(), (scale, zero), strict=True)
    kept = {
        name: from_tensor(held.contiguous()).reshape(-1).astype(kind)
        for (name, kind), held in beside
    }
    return {"code": where.cut(code), **kept}


def decode(capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
    """The numbers that codes, scales and zero points stand for."""
    code = stored["code"]
    if not code.size:
        return np.zeros(code.shape, np.float32)
    where, top = layout(capability, hyper, code.shape), FORMATS[capability.rule].top
    scales, zeros = where.scales(stored["scale"]), where.scales(stored["zero_point"])
    made = quant_primitives.dequantize_affine(
        where.extended(code), where.group, scales, zeros.to(torch.int32), torch.uint8, 0, top
    )
    return where.cut(made)


_BESIDE = {"scale": np.float32, "zero_point": np.uint8}
