"""compressed-tensors on the CPU: its symmetric integers, 8-bit floats, NVFP4 and MXFP4.

Scales are calculate_qparams', of every group's extremes, codes quantize's, without zero points as
symmetric weights are kept. Arithmetic: float32 throughout. A scale of zero becomes that format's
epsilon, to divide by. Tensors are given as matrices of whole groups: see ``torchao.layouts``.
"""

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from truestep.fast.peers.compressed_tensors import four_bit_floats, scaled
from truestep.fast.peers.torch_tensors import from_tensor
from truestep.fast.peers.torchao.layouts import layout
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.format_rows import ROWS

_FILES = (four_bit_floats, scaled)
_OF: Mapping[str, ModuleType] = {c.rule: file for file in _FILES for c in file.capabilities()}


class Backend:
    """calculate_qparams, quantize and dequantize, and the packing of codes."""

    name = "compressed_tensors"

    def capabilities(self) -> tuple[QuantizerCapability, ...]:
        """Every format."""
        return tuple(capability for file in _FILES for capability in file.capabilities())

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The codes of x, one to a byte, and the scale of every group."""
        if not x.size:
            # Of no numbers there are no extremes to be given.
            kept = np.uint8 if ROWS[capability.rule].scale in ("e4m3", "e8m0") else np.float32
            return {"code": np.zeros(x.shape, np.uint8), "scale": np.zeros(0, kept)}
        where = layout(capability, hyper, x.shape)
        code, scale = _OF[capability.rule].encode(capability.rule, hyper, where, x)
        return {"code": where.cut(code), "scale": from_tensor(scale.contiguous()).reshape(-1)}

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that the codes stand for."""
        code = stored["code"]
        if not code.size:
            return np.zeros(code.shape, np.float32)
        where = layout(capability, hyper, code.shape)
        file = _OF[capability.rule]
        return where.cut(file.decode(capability.rule, hyper, where, code, stored["scale"]))
