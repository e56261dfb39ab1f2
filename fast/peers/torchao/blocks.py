"""torchao's block formats behind the protocol: which file computes which."""

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from truestep.fast.peers.torch_tensors import from_tensor
from truestep.fast.peers.torchao import (
    integers,
    microscaling,
    moments_4bit,
    normal_float,
    scaled_floats,
)
from truestep.fast.peers.torchao.layouts import layout
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.format_rows import ROWS
from truestep.reference.packing import pack

_FILES = (integers, microscaling, moments_4bit, normal_float, scaled_floats)
_OF: Mapping[str, ModuleType] = {c.rule: file for file in _FILES for c in file.capabilities()}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Every format in every implementation."""
    return tuple(capability for file in _FILES for capability in file.capabilities())


def encode(capability: QuantizerCapability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
    """The codes of x, packed where the library packs them, and the scale of every group."""
    kept = np.dtype(np.uint8 if ROWS[capability.rule].scale in ("e4m3", "e8m0") else np.float32)
    if not x.size:
        none = np.zeros(x.shape, np.uint8)
        code = pack(capability.packing, none, 4) if capability.packing else none
        return {"code": code, "scale": np.zeros(0, kept)}
    where = layout(capability, hyper, x.shape)
    made, scale = _OF[capability.rule].encode(capability, hyper, where, x)
    code = from_tensor(made) if capability.packing else where.cut(made)
    return {"code": code, "scale": from_tensor(scale.contiguous()).reshape(-1)}


def decode(capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
    """The float32 numbers that the codes stand for."""
    code = stored["code"]
    shape = tuple(stored["shape"].tolist()) if capability.packing else code.shape
    if not code.size:
        return np.zeros(shape, np.float32)
    where = layout(capability, hyper, shape)
    return where.cut(_OF[capability.rule].decode(capability, hyper, where, code, stored["scale"]))
