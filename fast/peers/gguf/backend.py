"""gguf's quants module: integers of llama.cpp's blocks, the K-quants as far as it reads them.

Arithmetic: float32. A scale is a quotient, whose reciprocal x, or what x is above its block's
minimum, is multiplied by before the scale is rounded to float16. A block's bytes are its scale, its
minimum and its packed codes; of Q4_K and Q5_K scales and minima of six bits stand before the codes,
and of Q6_K all that is no code behind them.
"""

from collections.abc import Mapping

import numpy as np
from gguf import GGMLQuantizationType, quants

from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper

BLOCK, LONG = 32, 256
DIALECTS: Mapping[str, Mapping[str, str]] = {
    "q4_0": {"normalise": "reciprocal", "rounding": "half_up"},
    "q4_1": {"normalise": "reciprocal"},
    "q5_0": {"normalise": "reciprocal", "rounding": "half_up"},
    "q5_1": {"normalise": "reciprocal"},
    "q8_0": {"normalise": "reciprocal", "rounding": "nearest_away"},
}
PACKINGS = {"q4_0": "q4_0", "q4_1": "q4_0", "q5_0": "q5_0", "q5_1": "q5_0", "q8_0": ""}
READ = ("q4_k", "q5_k", "q6_k")
TYPES = {rule: GGMLQuantizationType[rule.upper()] for rule in (*DIALECTS, *READ)}
# What precedes the codes of a block, two bytes each.
BESIDE = {rule: ("scale", "min") if rule.endswith("_1") else ("scale",) for rule in DIALECTS}


class Backend:
    """quants.quantize and quants.dequantize."""

    name = "gguf"

    def capabilities(self) -> tuple[QuantizerCapability, ...]:
        """Rows whose size is a multiple of a block's, which the library asks for."""
        both = (
            QuantizerCapability(rule=rule, dialect=dialect, multiple=BLOCK, packing=PACKINGS[rule])
            for rule, dialect in DIALECTS.items()
        )
        read = (
            QuantizerCapability(rule=rule, multiple=LONG, packing=rule, encodes=False)
            for rule in READ
        )
        return *both, *read

    def encode(self, capability: QuantizerCapability, hyper: Hyper, x: Array) -> dict[str, Array]:
        """The codes of x and what every block begins with."""
        names = BESIDE[capability.rule]
        packed = np.zeros((0, 2 * len(names)), np.uint8)
        # Of nothing quantize refuses to make something: see findings.toml.
        if x.size:
            with np.errstate(all="ignore"):
                packed = quants.quantize(x, TYPES[capability.rule]).reshape(x.size // BLOCK, -1)
        held = np.ascontiguousarray(packed[:, : 2 * len(names)]).view(np.float16)
        code = packed[:, 2 * len(names) :]
        code = code.reshape(-1) if capability.packing else code.reshape(x.shape)
        return {"code": code, **{name: held[:, i] for i, name in enumerate(names)}}

    def decode(
        self, capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]
    ) -> Array:
        """The float32 values of the codes."""
        rule, code = capability.rule, stored["code"]
        shape = tuple(stored["shape"].tolist()) if capability.packing else code.shape
        if not code.size:
            return np.zeros(shape, np.float32)
        blocks = int(np.prod(shape)) // (LONG if rule in READ else BLOCK)
        parts = _long if rule in READ else _short
        packed = np.concatenate(parts(rule, stored, code.reshape(blocks, -1)), axis=1)
        packed = packed.reshape(*shape[:-1], -1)
        with np.errstate(all="ignore"):
            decoded: Array = quants.dequantize(packed, TYPES[rule])
        return decoded


def _short(rule: str, stored: Mapping[str, Array], code: Array) -> list[Array]:
    return [*(_bytes(stored[name]) for name in BESIDE[rule]), code]


def _long(rule: str, stored: Mapping[str, Array], code: Array) -> list[Array]:
    if rule == "q6_k":
        return [code, stored["scale"].view(np.uint8), _bytes(stored["d"])]
    six = _six(stored["scale"], stored["min"])
    return [_bytes(stored["d"]), _bytes(stored["dmin"]), six, code]


def _bytes(float16: Array) -> Array:
    return np.ascontiguousarray(float16, np.float16).view(np.uint8).reshape(-1, 2)


def _six(scale: Array, least: Array) -> Array:
    """Eight scales and eight minima of six bits; the upper bits of the last four with the first."""
    first, last = (scale[:, :4], least[:, :4]), (scale[:, 4:], least[:, 4:])
    upper = [low | high >> 4 << 6 for low, high in zip(first, last, strict=True)]
    return np.concatenate([*upper, last[0] & 15 | (last[1] & 15) << 4], axis=1)
