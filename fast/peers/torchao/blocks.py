"""torchao's block formats behind the protocol: which file computes which."""

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from truestep.fast.peers.torch_tensors import from_tensor
from truestep.fast.peers.torchao import integers, microscaling, normal_float, scaled_floats
from truestep.fast.peers.torchao.layouts import layout
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.format_rows import ROWS

_FILES = (integers, microscaling, normal_float, scaled_floats)
_OF: Mapping[str, ModuleType] = {c.rule: file for file in _FILES for c in file.capabilities()}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Every format in every implementation."""
    return tuple(capability for file in _FILES for capability in file.capabilities())


def encode(capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
    """The codes of x and the scale of every group."""
    kept = np.dtype(np.uint8 if ROWS[capability.rule].scale in ("e4m3", "e8m0") else np.float32)
    if not x.size:
        return {"code": np.zeros(x.shape, np.uint8), "scale": np.zeros(0, kept)}
    where = layout(capability, hyper, x.shape)
    code, scale = _OF[capability.rule].encode(capability, hyper, where, x)
    return {"code": where.cut(code), "scale": from_tensor(scale.contiguous()).reshape(-1)}


def decode(capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
    """The float32 numbers that the codes stand for."""
    code = stored["code"]
    if not code.size:
        return np.zeros(code.shape, np.float32)
    where = layout(capability, hyper, code.shape)
    return where.cut(_OF[capability.rule].decode(capability, hyper, where, code, stored["scale"]))
