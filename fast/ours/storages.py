"""How the kernels keep a tensor as codes: by the quantizer that says so, what they are told.

A storage is one function each way per instruction set (csrc/cpu/storage.h); here stands what a
quantizer's Hyper has to be for it, and which arrays hold its codes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from truestep.fast import _core
from truestep.fast.ours import formats
from truestep.fast.ours.offered import QUANTIZER, require_offered
from truestep.fast.protocol import Array, DType
from truestep.reference.declared import Hyper
from truestep.reference.format_rows import ROWS
from truestep.reference.quantizers import QUANTIZERS, dynamic_8bit
from truestep.reference.splits import SPLITS, Split

FLOAT32 = np.dtype(np.float32)
BYTE = np.dtype(np.uint8)


@dataclass(frozen=True, slots=True)
class Kept:
    """A storage of the extension, and the arrays of a tensor "m" that is kept so.

    code: the dtype of m_code. scale: what follows "m_" in the name of the scales, "" without them;
    of two parts that of the rest, one to an element. scales: their dtype. packed: two codes lie in
    a byte, the first in the higher half. drawn: roundings are drawn, with a seed that is given for
    every call.
    """

    storage: _core.Storage
    code: DType
    scale: str = ""
    block_size: int = 1
    scales: DType = FLOAT32
    packed: bool = False
    drawn: bool = False

    def blocks(self, size: int) -> int:
        """How many scales size elements have."""
        return -(-size // self.block_size) if self.scale else 0

    def codes(self, size: int) -> int:
        """How many entries the codes of size elements take."""
        return -(-size // 2) if self.packed else size

    def seeded(self, seed: Callable[[], int]) -> _core.Storage:
        """The storage for one call."""
        return self.storage.seeded(seed()) if self.drawn else self.storage


@cache
def dynamic_map(signed: bool, kind: str = "fused") -> _core.DynamicMap:
    """The reference's map of that kind, prepared for the kernels."""
    h = dynamic_8bit.Hyper(signed=signed, map=kind)  # type: ignore[arg-type]
    return _core.DynamicMap(dynamic_8bit.all_values(h).astype(np.float32))


def dynamic_8bit_kept(signed: bool, block_size: int, kind: str = "fused") -> Kept:
    """Block-wise dynamic 8-bit codes."""
    storage = _core.Storage("dynamic_8bit", block_size, dynamic_map(signed, kind))
    return Kept(storage, BYTE, "absmax", block_size)


def _dynamic_8bit(h: Hyper) -> Kept:
    require_offered(h, QUANTIZER, "cpu")
    return dynamic_8bit_kept(h.signed, h.block_size, h.map)


def _bfloat16(h: Hyper) -> Kept:
    if (h.rounding, h.overflow) == ("nearest_even", "infinity"):
        return Kept(_core.Storage("bfloat16"), np.dtype(np.uint16))
    return _small_float("bfloat16", h)


def _small_float(rule: str, h: Hyper) -> Kept:
    code, drawn = np.dtype(QUANTIZERS[rule].FORMAT.dtype), h.rounding == "stochastic"
    storage = f"small_float_{8 * code.itemsize}bit"
    if h.rounding != "nearest_even":
        storage += "_drawn" if drawn else "_cut"
    return Kept(_core.Storage(storage, number=formats.small_float(rule, h)), code, drawn=drawn)


def _power_of_two(h: Hyper) -> Kept:
    drawn = h.rounding == "stochastic"
    storage = "power_of_two_drawn" if drawn else "power_of_two"
    return Kept(_core.Storage(storage, power=formats.power_of_two(h)), BYTE, drawn=drawn)


def _blocks(rule: str, h: Hyper) -> Kept:
    row, format = ROWS[rule], formats.block_format(rule, h)
    block_size = int(row.block or getattr(h, "block_size", 1)) if row.grouping == "block" else 1
    packed = formats.is_packed(rule)
    storage = _core.Storage("blocks_4bit" if packed else "blocks", block_size, format=format)
    drawn = getattr(h, "rounding", "") == "stochastic"
    return Kept(storage, BYTE, "scale", block_size, formats.scale_type(row), packed, drawn)


def _split(split: Split, h: Hyper) -> Kept:
    roundings = {"bits": "nearest_even", "fraction": "nearest_away", "signed_bits": "nearest_even"}
    if h.rounding != (due := roundings[h.rest]):
        raise ValueError(f"rounding must be {due!r} of a rest in {h.rest}, got {h.rounding!r}")
    storage = _core.Storage(f"split_{h.rest}_{split.bits}")
    return Kept(storage, np.dtype(np.uint16), "rest", scales=split.code_type(h))


_OWN: Mapping[str, Callable[[Hyper], Kept]] = {
    "bfloat16": _bfloat16,
    "dynamic_8bit": _dynamic_8bit,
    "float8_e8m0fnu": _power_of_two,
}


@cache
def kept(quantizer: str, h: Hyper) -> Kept:
    """The storage of a quantizer with these hyperparameters. Raises ValueError without one.

    Of a format whose groups are not blocks of consecutive elements, it is for encoding alone.
    """
    if quantizer in _OWN:
        return _OWN[quantizer](h)
    if quantizer in ROWS:
        return _blocks(quantizer, h)
    if quantizer in SPLITS:
        return _split(SPLITS[quantizer], h)
    if hasattr(QUANTIZERS[quantizer], "FORMAT"):
        return _small_float(quantizer, h)
    raise ValueError(f"the kernels have no storage {quantizer!r}")


# In which formats parameters and gradients may be.
NUMBERS: Mapping[str, Kept] = {
    "float32": Kept(_core.Storage("float32"), FLOAT32),
    "bfloat16": kept("bfloat16", QUANTIZERS["bfloat16"].Hyper()),
    "float16": kept("float16", QUANTIZERS["float16"].Hyper()),
}


def packed_codes(code: Array) -> Array:
    """Codes of four bits, flattened, two to a byte."""
    flat = code.reshape(-1)
    whole = np.append(flat, np.zeros(flat.size % 2, BYTE))
    pairs: Array = whole[::2] << 4 | whole[1::2]
    return pairs


def unpacked_codes(packed: Array, shape: tuple[int, ...]) -> Array:
    """The codes, in their shape, of those bytes."""
    pairs = np.stack([packed >> 4, packed & 15], axis=-1).reshape(-1)
    return pairs[: int(np.prod(shape))].reshape(shape)
