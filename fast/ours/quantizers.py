"""Encoding and decoding of NumPy arrays by the C++ kernels."""

from collections.abc import Mapping

import numpy as np

from truestep.fast import _core
from truestep.fast.ours import affine, formats, storages
from truestep.fast.protocol import Array
from truestep.reference.affine_formats import FORMATS as AFFINE
from truestep.reference.declared import Hyper
from truestep.reference.format_rows import ROWS

# Seeds of stochastic rounding, one a call.
_SEEDS = np.random.default_rng()


def encode(rule: str, h: Hyper, x: Array) -> Mapping[str, Array]:
    """What is stored of the float32 x: codes shaped like x, or packed, and for groups scales."""
    if rule in AFFINE:
        return affine.encode(rule, h, x)
    how, flat = storages.kept(rule, h), np.ascontiguousarray(x).reshape(-1)
    groups = _groups(rule, h, x.shape)
    code = np.empty((how.codes(x.size),) if how.packed else x.shape, how.code)
    scale = np.empty(how.blocks(x.size) if groups is None else groups, how.scales)
    storage = how.seeded(lambda: int(_SEEDS.integers(2**64, dtype=np.uint64)))
    if groups is None:
        _core.encode(storage, flat, _bytes(code), _bytes(scale))
    elif x.size:
        grouping = formats.grouping(ROWS[rule], x.shape)
        _core.encode_groups(storage, grouping, flat, _bytes(code), _bytes(scale))
    return {"code": code, how.scale: scale} if how.scale else {"code": code}


def decode(rule: str, h: Hyper, stored: Mapping[str, Array]) -> Array:
    """The float32 numbers that stored, as encode gives it, stands for.

    Of packed codes stored has the "shape" besides.
    """
    if rule in AFFINE:
        return affine.decode(rule, h, stored)
    how = storages.kept(rule, h)
    code = np.ascontiguousarray(stored["code"])
    if code.dtype != how.code:
        raise TypeError(f"code must be {how.code}, got {code.dtype}")
    shape = tuple(int(n) for n in stored["shape"]) if how.packed else stored["code"].shape
    scale = np.ascontiguousarray(stored[how.scale]) if how.scale else np.empty(0, np.float32)
    x = np.empty(shape, np.float32)
    flat = x.reshape(-1)
    if _groups(rule, h, shape) is None:
        _core.decode(how.storage, _bytes(code), _bytes(scale), flat)
    elif x.size:
        grouping = formats.grouping(ROWS[rule], shape)
        _core.decode_groups(how.storage, grouping, _bytes(code), _bytes(scale), flat)
    return x


def _groups(rule: str, h: Hyper, shape: tuple[int, ...]) -> int | None:
    """How many groups there are; None where they are blocks of consecutive elements."""
    if rule not in ROWS or ROWS[rule].grouping == "block":
        return None
    return formats.block_rule(rule).groups(h, shape)


def _bytes(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)
