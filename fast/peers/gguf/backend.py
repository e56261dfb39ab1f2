"""gguf's quants module: Q4_0, Q5_0 and Q8_0, blocks of 32 integers with a float16 scale.

Arithmetic: float32. The scale is a quotient, whose reciprocal x is multiplied by before it is
rounded to float16. Two codes of four bits share a byte, the block's first half in the lower ones;
of five bits the highest are kept apart.
"""

from collections.abc import Mapping

import numpy as np
from gguf import GGMLQuantizationType, quants

from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper

BLOCK = 32
TYPES = {
    "q4_0": GGMLQuantizationType.Q4_0,
    "q5_0": GGMLQuantizationType.Q5_0,
    "q8_0": GGMLQuantizationType.Q8_0,
}
DIALECTS = {
    "q4_0": {"normalise": "reciprocal", "rounding": "half_up"},
    "q5_0": {"normalise": "reciprocal", "rounding": "half_up"},
    "q8_0": {"normalise": "reciprocal", "rounding": "nearest_away"},
}


class Backend:
    """quants.quantize and quants.dequantize."""

    name = "gguf"

    def capabilities(self) -> tuple[QuantizerCapability, ...]:
        """Rows whose size is a multiple of a block's, which the library asks for."""
        return tuple(
            QuantizerCapability(rule=rule, dialect=dialect, multiple=BLOCK)
            for rule, dialect in DIALECTS.items()
        )

    def encode(self, capability: QuantizerCapability, hyper: Hyper, x: Array) -> dict[str, Array]:
        """The codes of x, one to a byte, and the scale of every block."""
        if not x.size:
            # Refused: see findings.toml.
            return {"code": np.zeros(x.shape, np.uint8), "scale": np.zeros(0, np.float16)}
        with np.errstate(all="ignore"):
            packed = quants.quantize(x, TYPES[capability.rule])
        blocks = packed.reshape(x.size // BLOCK, -1)
        scale = np.ascontiguousarray(blocks[:, :2]).view(np.float16)[:, 0]
        code = _apart(capability.rule, blocks[:, 2:])
        return {"code": code.reshape(x.shape), "scale": scale}

    def decode(
        self, capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]
    ) -> Array:
        """The float32 values of the codes."""
        code = stored["code"]
        if not code.size:
            return np.zeros(code.shape, np.float32)
        scale = np.ascontiguousarray(stored["scale"], np.float16).view(np.uint8).reshape(-1, 2)
        blocks = _together(capability.rule, code.reshape(-1, BLOCK))
        packed = np.concatenate([scale, blocks], axis=1)
        packed = packed.reshape(*code.shape[:-1], code.shape[-1] // BLOCK * packed.shape[-1])
        with np.errstate(all="ignore"):
            decoded: Array = quants.dequantize(packed, TYPES[capability.rule])
        return decoded


def _apart(rule: str, blocks: Array) -> Array:
    """The codes of every block, one to a byte."""
    if rule == "q8_0":
        return blocks
    halves = blocks[:, -BLOCK // 2 :]
    code: Array = np.concatenate([halves & 15, halves >> 4], axis=1)
    if rule == "q5_0":
        code |= np.unpackbits(blocks[:, :4], axis=1, bitorder="little") << np.uint8(4)
    return code


def _together(rule: str, code: Array) -> Array:
    """The bytes of every block behind its scale."""
    if rule == "q8_0":
        return code
    low, high = code[:, : BLOCK // 2], code[:, BLOCK // 2 :]
    halves = low & 15 | high << 4
    if rule == "q4_0":
        return halves
    highest = np.packbits(code >> 4, axis=1, bitorder="little")
    return np.concatenate([highest, halves], axis=1)
