"""Formats with two numbers to a group, encoded and decoded by the C++ kernels."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from truestep.fast import _core
from truestep.fast.ours import formats
from truestep.fast.protocol import Array
from truestep.reference.affine_formats import FORMATS, AffineFormat
from truestep.reference.declared import Hyper


@cache
def told(rule: str, h: Hyper) -> _core.AffineFormat:
    """A format with these choices."""
    format: AffineFormat = FORMATS[rule]
    epsilon = getattr(h, "zero_scale", "") == "epsilon"
    return _core.AffineFormat(
        format.bits,
        minimum=format.second == "min",
        reciprocal=h.normalise == "reciprocal",
        own_range=getattr(h, "range", "own") == "own",
        sum_first=getattr(h, "sum", "") == "before",
        least=getattr(h, "least", 0.0),
        of_zero=2.0**-23 if epsilon else 0.0,
    )


def encode(rule: str, h: Hyper, x: Array) -> Mapping[str, Array]:
    """The codes of the float32 x, shaped like it, and the two numbers of every group."""
    code = np.empty(x.shape, np.uint8)
    beside = {
        name: np.empty(stored.shape, stored.dtype)
        for name, stored in FORMATS[rule].beside(h, x.shape).items()
    }
    if x.size:
        flat, (scale, second) = np.ascontiguousarray(x).reshape(-1), map(_bytes, beside.values())
        grouping = _grouping(rule, h, x.shape)
        _core.encode_affine(told(rule, h), grouping, flat, _bytes(code), scale, second)
    return {"code": code, **beside}


def decode(rule: str, h: Hyper, stored: Mapping[str, Array]) -> Array:
    """The float32 numbers that codes and the numbers of groups stand for."""
    x = np.empty(stored["code"].shape, np.float32)
    names = ("code", *FORMATS[rule].beside(h, x.shape))
    if x.size:
        code, scale, second = (_bytes(np.ascontiguousarray(stored[name])) for name in names)
        grouping = _grouping(rule, h, x.shape)
        _core.decode_affine(told(rule, h), grouping, code, scale, second, x.reshape(-1))
    return x


def _grouping(rule: str, h: Hyper, shape: tuple[int, ...]) -> _core.Grouping:
    cut = FORMATS[rule].cut
    if cut.row.grouping == "block":
        size = int(np.prod(shape))
        return _core.Grouping(1, size, 1, min(size, cut.length(h)))
    return formats.grouping(cut.row, shape)


def _bytes(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)
