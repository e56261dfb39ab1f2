"""How the kernels keep a state tensor as codes: by the quantizer that says so, what they are told.

A storage is one function each way per instruction set (csrc/cpu/storage.h); here stands what a
quantizer's Hyper has to be for it, and which arrays hold its codes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from truestep.fast import _core
from truestep.fast.ours.offered import QUANTIZER, require_offered
from truestep.fast.protocol import DType
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import dynamic_8bit

FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class Kept:
    """A storage of the extension, and the arrays of a tensor "m" that is kept so.

    code: the dtype of m_code. scale: what follows "m_" in the name of the scales, "" without them.
    blocks(shape): how many scales there are.
    """

    storage: _core.Storage
    code: DType
    scale: str = ""
    block_size: int = 1

    def blocks(self, size: int) -> int:
        """How many scales size elements have."""
        return -(-size // self.block_size) if self.scale else 0


NUMBERS: Mapping[str, Kept] = {
    "float32": Kept(_core.Storage("float32"), FLOAT32),
    "bfloat16": Kept(_core.Storage("bfloat16"), np.dtype(np.uint16)),
}


@cache
def dynamic_map(signed: bool, kind: str = "fused") -> _core.DynamicMap:
    """The reference's map of that kind, prepared for the kernels."""
    h = dynamic_8bit.Hyper(signed=signed, map=kind)  # type: ignore[arg-type]
    return _core.DynamicMap(dynamic_8bit.all_values(h).astype(np.float32))


def dynamic_8bit_kept(signed: bool, block_size: int, kind: str = "fused") -> Kept:
    """Block-wise dynamic 8-bit codes."""
    storage = _core.Storage("dynamic_8bit", block_size, dynamic_map(signed, kind))
    return Kept(storage, np.dtype(np.uint8), "absmax", block_size)


def _dynamic_8bit(h: Hyper) -> Kept:
    require_offered(h, QUANTIZER, "cpu")
    return dynamic_8bit_kept(h.signed, h.block_size, h.map)


def _bfloat16(h: Hyper) -> Kept:
    require_offered(h, {"rounding": "nearest_even", "overflow": "infinity"}, "cpu")
    return NUMBERS["bfloat16"]


STORAGES: Mapping[str, Callable[[Hyper], Kept]] = {
    "bfloat16": _bfloat16,
    "dynamic_8bit": _dynamic_8bit,
}


@cache
def kept(quantizer: str, h: Hyper) -> Kept:
    """The storage of a quantizer with these hyperparameters. Raises ValueError without one."""
    if quantizer not in STORAGES:
        raise ValueError(f"the kernels keep {', '.join(sorted(STORAGES))}; got {quantizer!r}")
    return STORAGES[quantizer](h)
