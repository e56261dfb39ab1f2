"""compressed-tensors on the CPU: its integers, 8-bit floats, NVFP4 and MXFP4.

Scales are calculate_qparams', of every group's extremes, codes quantize's; symmetric weights are
kept without zero points. Arithmetic: float32 throughout. A scale of zero becomes that format's
epsilon, to divide by. Tensors are given as matrices of whole groups: see ``torchao.layouts``.
"""

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from truestep.fast.peers.compressed_tensors import affine, four_bit_floats, scaled
from truestep.fast.peers.torch_tensors import from_tensor
from truestep.fast.peers.torchao.layouts import layout
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.format_rows import ROWS
from truestep.reference.packing import of_format, pack
from truestep.reference.quantizers import QUANTIZERS

_FILES = (four_bit_floats, scaled)
_OF: Mapping[str, ModuleType] = {c.rule: file for file in _FILES for c in file.capabilities()}


class Backend:
    """calculate_qparams, quantize and dequantize, and the packing of codes."""

    name = "compressed_tensors"

    def capabilities(self) -> tuple[QuantizerCapability, ...]:
        """Every format."""
        return tuple(c for file in (*_FILES, affine) for c in file.capabilities())

    def encode(
        self, capability: QuantizerCapability, hyper: Hyper, x: Array
    ) -> Mapping[str, Array]:
        """The codes of x as they are packed, and the scale of every group; of affine ones more."""
        if capability.rule in affine.RULES:
            return _affine(capability, hyper, x)
        if not x.size:
            # Of no numbers there are no extremes to be given.
            kept = np.uint8 if ROWS[capability.rule].scale in ("e4m3", "e8m0") else np.float32
            return {"code": _none(capability, x), "scale": np.zeros(0, kept)}
        where = layout(capability, hyper, x.shape)
        code, scale = _OF[capability.rule].encode(capability.rule, hyper, where, x)
        return {"code": code, "scale": from_tensor(scale.contiguous()).reshape(-1)}

    def decode(
        self, capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]
    ) -> Array:
        """The float32 numbers that the codes stand for."""
        code = stored["code"]
        shape = tuple(stored["shape"].tolist()) if capability.packing else code.shape
        if not code.size:
            return np.zeros(shape, np.float32)
        where = layout(capability, hyper, shape)
        if capability.rule in affine.RULES:
            return where.cut(affine.decode(capability.rule, hyper, where, stored))
        file = _OF[capability.rule]
        return where.cut(file.decode(capability.rule, hyper, where, code, stored["scale"]))


def _none(capability: QuantizerCapability, x: Array) -> Array:
    """The codes of an empty tensor."""
    code = np.zeros(x.shape, np.uint8)
    if not capability.packing:
        return code
    bits, _ = of_format(QUANTIZERS[capability.rule])
    words: Array = pack(capability.packing, code, bits)
    return words


def _affine(capability: QuantizerCapability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
    code, zero = _none(capability, x), np.zeros(0, np.uint8)
    scale = np.zeros(0, np.float32)
    if x.size:
        where = layout(capability, hyper, x.shape)
        code, scale, zero = affine.encode(capability.rule, hyper, where, x)
    return {"code": code, "scale": scale, "zero_point": zero}
