"""torchao on the CPU, uncompiled: block-wise dynamic 8-bit quantization, stochastic rounding to
bfloat16, block formats (blocks.py), affine integers (affine.py, with zero points that are numbers
float_zeros.py), and Adam and AdamW (adam.py, low_bit.py on quantized moments, lives.py as objects).
"""

from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np
import torch
from torchao.optim import quant_utils

from truestep.fast.peers.dynamic_map import map_dialect
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.torchao import (
    adam,
    affine,
    blocks,
    float_zeros,
    lives,
    low_bit,
    nested_float,
    precision,
)
from truestep.fast.peers.torchao.low_bit import whole
from truestep.fast.peers.torchao.moments_4bit import FLOOR
from truestep.fast.protocol import (
    Array,
    Capability,
    Group,
    Inputs,
    Observation,
    Outputs,
    Program,
    QuantizerCapability,
    Slot,
    Stepped,
)
from truestep.reference.declared import Hyper
from truestep.reference.format_rows import ROWS

# The module that encodes and decodes a format.
_HOMES: Mapping[str, ModuleType] = {
    **{rule: home for home in (affine, float_zeros, nested_float) for rule in home.RULES},
    **dict.fromkeys(ROWS, blocks),
}


class Backend:
    """torchao's low-bit optimizers, their quantizers, and its block formats."""

    name = "torchao"

    def __init__(self) -> None:
        self._maps = {
            signed: torch.tensor(quant_utils.create_dynamic_map(signed=signed))
            for signed in (True, False)
        }
        self._map = map_dialect(self._maps[True].double().numpy())

    def capabilities(self) -> tuple[Capability, ...]:
        """The quantizers, the stochastic cast, the low-bit and the plain optimizers."""
        shared = {"map": self._map, "ties": "upper"}
        return (
            QuantizerCapability(rule="dynamic_8bit", dialect=shared, fixed={"absmax_floor": FLOOR}),
            QuantizerCapability(
                rule="bfloat16", dialect={"rounding": "stochastic"}, variant="stochastic"
            ),
            *affine.capabilities(),
            *blocks.capabilities(),
            *float_zeros.capabilities(),
            *low_bit.capabilities(shared),
            *nested_float.capabilities(),
            *adam.capabilities(),
            precision.capability(),
            *(life.capability for life in lives.LIVES),
        )

    def encode(
        self, capability: QuantizerCapability, hyper: Hyper, x: Array
    ) -> Mapping[str, Array]:
        """The codes of x and, of blocks, their scale."""
        if capability.rule in _HOMES:
            made: Mapping[str, Array] = _HOMES[capability.rule].encode(capability, hyper, x)
            return made
        if capability.rule == "bfloat16":
            rounded = quant_utils._fp32_to_bf16_sr(to_tensor(x))
            return {"code": rounded.view(torch.int16).numpy().view(np.uint16)}
        if not x.size:
            return {"code": np.zeros(x.shape, np.uint8), "absmax": np.zeros(0, np.float32)}
        scaled, scale = quant_utils.scale_tensor(
            to_tensor(whole(x, hyper.block_size)), hyper.block_size
        )
        code = quant_utils.quantize_8bit_with_qmap(scaled, self._maps[hyper.signed])
        return {"code": from_tensor(code)[: x.size].reshape(x.shape), "absmax": from_tensor(scale)}

    def decode(
        self, capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]
    ) -> Array:
        """The float32 numbers that the codes stand for."""
        if capability.rule in _HOMES:
            read: Array = _HOMES[capability.rule].decode(capability, hyper, stored)
            return read
        code = stored["code"]
        if capability.rule == "bfloat16":
            tensor = torch.from_numpy(code.view(np.int16).copy()).view(torch.bfloat16)
            return from_tensor(tensor.float())
        if not code.size:
            return np.zeros(code.shape, np.float32)
        decoded = quant_utils.dequant_with_qmap(
            to_tensor(whole(code, hyper.block_size)),
            self._maps[hyper.signed],
            to_tensor(stored["absmax"]),
        )
        return from_tensor(decoded)[: code.size].reshape(code.shape)

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """The bits of a state."""
        return precision.outputs(hyper, inputs)

    def lived(self, capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
        """What is seen in lives of one class."""
        return lives.lived(capability, programs)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step of Adam or AdamW on every slot, its moments quantized or not."""
        adamw = capability.dialect.get("decay") == "before"
        kept = capability.variant.removesuffix("_eager")

        def step(group: Group, slot: Slot) -> Stepped:
            if group.storage:
                block = group.storage["m"].block_size
                return low_bit.stepped(self._maps, group.hyper, slot, block, kept=kept, adamw=adamw)
            return adam.stepped(group.hyper, slot, adamw=adamw)

        return [[step(group, slot) for slot in group.slots] for group in groups]
