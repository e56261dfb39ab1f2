"""Faults in quantizers: tables, ties, block scales, tails, and the randomness of rounding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array, Capability
from truestep.reference.quantizers import dynamic_8bit

Piece = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class QuantizerFault:
    """A float32 quantizer with some pieces replaced; the other fields are those of Fault."""

    rule: str
    description: str
    source: str
    pieces: Mapping[str, Piece] = field(default_factory=dict)
    check: str = "random"
    computes: str = ""
    kind: str = "quantizer"

    def backend(self) -> QuantizerBackend:
        """A backend that computes with the fault."""
        return QuantizerBackend(self.rule, self.pieces)


class QuantizerBackend:
    """Block-wise dynamic 8-bit codes, or bfloat16 by stochastic rounding, in NumPy float32."""

    def __init__(self, rule: str, pieces: Mapping[str, Piece] | None = None) -> None:
        self.name = f"museum {rule}"
        self.rule = rule
        self.pieces = {**PIECES, **(pieces or {})}
        self.rng = np.random.default_rng(2022)

    def capabilities(self) -> Sequence[Capability]:
        """The one rule, in the reference's own form but for the rounding of bfloat16."""
        dialect = {"rounding": "stochastic"} if self.rule == "bfloat16" else {}
        fixed = {"absmax_floor": 0.0} if self.rule == "dynamic_8bit" else {}
        return [Capability("quantizer", self.rule, dialect=dialect, fixed=fixed)]

    def encode(self, capability: Capability, hyper: Any, x: Array) -> Mapping[str, Array]:
        """What is stored of x."""
        with np.errstate(all="ignore"):
            if self.rule == "bfloat16":
                return {"code": self._rounded(np.ascontiguousarray(x).reshape(-1), x.shape)}
            p, flat = self.pieces, x.reshape(-1)
            absmax = p["absmax"](flat, hyper.block_size)
            scale = p["scale"](absmax, flat.size, hyper.block_size)
            code = p["search"](p["thresholds"](hyper), p["normal"](flat, scale))
            code = np.where(np.isnan(scale), dynamic_8bit.code_of_zero(hyper), code)
            return {"code": code.astype(np.uint8).reshape(x.shape), "absmax": absmax}

    def decode(self, capability: Capability, hyper: Any, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that are stored."""
        code = stored["code"]
        with np.errstate(all="ignore"):
            if self.rule == "bfloat16":
                return np.asarray((code.astype(np.uint32) << 16).view(np.float32))
            scale = _scale(stored["absmax"], code.size, hyper.block_size).reshape(code.shape)
            return np.asarray(self.pieces["values"](hyper)[code] * scale)

    def _rounded(self, flat: Array, shape: tuple[int, ...]) -> Array:
        bits = flat.view(np.uint32)
        drawn = self.pieces["draw"](self.rng, flat.size)
        up = ((bits.astype(np.uint64) + drawn) >> 16).astype(np.uint16)
        special = (bits >> 16).astype(np.uint16) | (np.isnan(flat) * np.uint16(0x40))
        return np.asarray(np.where(np.isfinite(flat), up, special).reshape(shape))


def _values(h: Any) -> NDArray[np.float32]:
    return np.asarray(dynamic_8bit.all_values(h), dtype=np.float32)


def _thresholds(h: Any) -> NDArray[np.float32]:
    return np.asarray(dynamic_8bit.thresholds(h), dtype=np.float32)


def _absmax(x: Array, block: int) -> Array:
    return np.maximum.reduceat(np.abs(x), np.arange(0, x.size, block)) if x.size else x[:0]


def _scale(absmax: Array, n: int, block: int) -> Array:
    return absmax[np.arange(n) // block]


def _normal(x: Array, scale: Array) -> Array:
    return np.where(scale > 0, x / scale, np.float32(0))


def _search(thresholds: Array, y: Array) -> Array:
    return np.searchsorted(thresholds, y, side="left")


def _draw(rng: np.random.Generator, n: int) -> Array:
    return rng.integers(0, 2**16, n, dtype=np.uint64)


PIECES: dict[str, Piece] = {
    "absmax": _absmax,
    "draw": _draw,
    "normal": _normal,
    "scale": _scale,
    "search": _search,
    "thresholds": _thresholds,
    "values": _values,
}


def _without_last(x: Array, block: int) -> Array:
    starts = np.arange(0, x.size, block)
    ends = np.minimum(starts + block, x.size)
    parts = [x[a : max(a + 1, b - 1)] for a, b in zip(starts, ends, strict=True)]
    return np.asarray([np.max(np.abs(part)) for part in parts], dtype=np.float32)


def _with_what_follows(x: Array, block: int) -> Array:
    padded = np.concatenate([x, np.full(-x.size % block, 7, dtype=np.float32)])
    return _absmax(padded, block)


def _of_the_next_block(absmax: Array, n: int, block: int) -> Array:
    return absmax[np.minimum(np.arange(n) // block + 1, max(absmax.size - 1, 0))]


def _one_threshold_up(h: Any) -> Array:
    t = _thresholds(h)
    t[200] = np.nextafter(t[200], np.float32(np.inf))
    return t


def _one_value_off(h: Any) -> Array:
    q = _values(h)
    q[200] *= np.float32(1 + 6e-7)
    return q


def _with_minus_one(h: Any) -> Array:
    q = _values(h)
    return np.sort(np.where(np.arange(256) == 0, np.float32(-1), q)) if h.signed else q


def _nan_passed_over(x: Array, block: int) -> Array:
    starts = np.arange(0, x.size, block)
    return np.fmax.reduceat(np.abs(x), starts) if x.size else x[:0]


def _always_up(rng: np.random.Generator, n: int) -> Array:
    return np.minimum(_draw(rng, n) + np.uint64(2**7), np.uint64(2**16 - 1))


def _repeated(rng: np.random.Generator, n: int) -> Array:
    return np.resize(_draw(rng, 32), n)


def _in_place(x: Array, scale: Array) -> Array:
    return np.divide(x, scale, out=x, where=scale > 0)


def _one_missing(h: Any) -> NDArray[np.float32]:
    values = _values(h)
    values[-1] = values[-2]
    return values


def _of_the_signed_map(h: Any) -> NDArray[np.float32]:
    return _thresholds(dataclasses.replace(h, signed=True))


def _of_another_map_for_large_blocks(h: Any) -> NDArray[np.float32]:
    other = dataclasses.replace(h, signed=not h.signed)
    return _thresholds(other if h.block_size > 1024 else h)


def _by_reciprocal(x: Array, scale: Array) -> Array:
    subnormal = (scale > 0) & (scale < np.finfo(np.float32).tiny)
    with np.errstate(all="ignore"):
        return np.where(subnormal, x * (np.float32(1) / scale), _normal(x, scale))


def _in_bfloat16(x: Array, block: int) -> Array:
    return _absmax(x, block).astype(ml_dtypes.bfloat16).astype(np.float32)


def _dynamic(what: str, source: str, check: str = "random", **pieces: Piece) -> QuantizerFault:
    return QuantizerFault("dynamic_8bit", what, source, pieces, check)


def _stochastic(what: str, source: str, check: str, draw: Piece) -> QuantizerFault:
    return QuantizerFault("bfloat16", what, source, {"draw": draw}, check)


QUANTIZER: dict[str, QuantizerFault] = {
    "bfloat16_noise_too_low": _stochastic(
        "the noise lies four bits below where it is due: almost everything rounds down",
        "uxlfoundation/oneDNN#2903",
        "frequency",
        lambda rng, n: _draw(rng, n) >> np.uint64(4),
    ),
    "bfloat16_nearest_overrides": _stochastic(
        "what was rounded at random is written again, rounded to nearest",
        "Nerogar/OneTrainer#994",
        "frequency",
        lambda _, n: np.full(n, 2**15, dtype=np.uint64),
    ),
    "dynamic_8bit_absmax_in_bfloat16": _dynamic(
        "absmax passes through bfloat16",
        "bitsandbytes-foundation/bitsandbytes#1971",
        absmax=_in_bfloat16,
    ),
    "dynamic_8bit_another_map_for_large_blocks": _dynamic(
        "blocks of more than 1024 are searched in the other map",
        "bitsandbytes-foundation/bitsandbytes#1160",
        thresholds=_of_another_map_for_large_blocks,
    ),
    "dynamic_8bit_input_normalised_in_place": _dynamic(
        "the caller's tensor is divided by absmax",
        "bitsandbytes-foundation/bitsandbytes#1587",
        normal=_in_place,
    ),
    "dynamic_8bit_one_missing_from_the_map": _dynamic(
        "the last value of the map stands in it twice, 1 does not",
        "bitsandbytes-foundation/bitsandbytes#152",
        "all_codes",
        values=_one_missing,
    ),
    "dynamic_8bit_reciprocal_of_a_subnormal_scale": _dynamic(
        "blocks are multiplied by 1 / absmax, which is infinite for a subnormal absmax",
        "ggml-org/llama.cpp#3010",
        "all_codes",
        normal=_by_reciprocal,
    ),
    "dynamic_8bit_unsigned_in_the_signed_map": _dynamic(
        "unsigned tensors are searched in the signed map",
        "bitsandbytes-foundation/bitsandbytes#1541",
        thresholds=_of_the_signed_map,
    ),
    "bfloat16_biased_by_2_to_the_minus_9": _stochastic(
        "rounds up too often by 2^-9", "generators with too few bits", "frequency", _always_up
    ),
    "bfloat16_generator_shared_by_lanes": _stochastic(
        "32 draws for every 32 elements", "one generator per warp", "independence", _repeated
    ),
    "bfloat16_seed_shared_by_calls": _stochastic(
        "every call draws the same numbers",
        "seeds that are not advanced",
        "independence",
        lambda _, n: _draw(np.random.default_rng(0), n),
    ),
    "dynamic_8bit_absmax_without_last": _dynamic(
        "absmax passes over a block's last element",
        "partial-block reductions",
        "all_codes",
        absmax=_without_last,
    ),
    "dynamic_8bit_minus_one_in_the_map": _dynamic(
        "-1 stands in the signed map", "tables made symmetric", "all_codes", values=_with_minus_one
    ),
    "dynamic_8bit_nan_passed_over": _dynamic(
        "absmax passes over a nan", "fmaxf in reductions", "edges", absmax=_nan_passed_over
    ),
    "dynamic_8bit_next_blocks_scale": _dynamic(
        "elements are divided by the next block's absmax",
        "block indices off by one",
        scale=_of_the_next_block,
    ),
    "dynamic_8bit_tail_with_garbage": _dynamic(
        "a short block's absmax sees what lies behind it",
        "unmasked tails",
        absmax=_with_what_follows,
    ),
    "dynamic_8bit_threshold_one_ulp_up": _dynamic(
        "one threshold is an ulp too large",
        "tables typed in decimal",
        "thresholds",
        thresholds=_one_threshold_up,
    ),
    "dynamic_8bit_ties_up": _dynamic(
        "midpoints go to the upper code",
        "<= in the place of <",
        "thresholds",
        search=lambda t, y: np.searchsorted(t, y, side="right"),
    ),
    "dynamic_8bit_value_off_by_6e-7": _dynamic(
        "one value of the map is off by 6e-7",
        "tables typed in decimal",
        "all_codes",
        values=_one_value_off,
    ),
    "dynamic_8bit_zero_block_is_nan": _dynamic(
        "a block of zeros is divided by zero",
        "blocks without a guard",
        normal=lambda x, scale: x / scale,
    ),
}
