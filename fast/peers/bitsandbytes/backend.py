"""bitsandbytes on the CPU: its optimizers, and block-wise quantization to 8 and 4 bits.

The optimizers are the classes of bitsandbytes.optim: see rows.py, and eight_bit.py for 8-bit state.
Alone, tensors are quantized by the functions of bitsandbytes.functional. All compute in float32;
absmax is inverted, then multiplied by.
"""

from collections.abc import Mapping
from functools import cache

import bitsandbytes.optim
import numpy as np
import torch
from bitsandbytes import functional

from truestep.fast.peers import torch_like
from truestep.fast.peers.bitsandbytes import (
    eight_bit,
    four_bit,
    int8_rows,
    lives,
    nested,
    precision,
)
from truestep.fast.peers.bitsandbytes.rows import ROWS
from truestep.fast.peers.torch_like import Named, Row
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, Inputs, Outputs, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS

# The format whose values are handed over.
MAPPED = "quantile_8bit"


def _map(capability: Capability, hyper: Hyper) -> torch.Tensor:
    return _given(hyper) if capability.rule == MAPPED else eight_bit.MAPS[hyper.signed]


@cache
def _given(hyper: Hyper) -> torch.Tensor:
    # Kept alive: the library recognises a map by its address.
    return to_tensor(QUANTIZERS[MAPPED].all_values(hyper).astype(np.float32))


class Backend(torch_like.Backend):
    """bitsandbytes' CPU path."""

    name, library, rows = "bitsandbytes", bitsandbytes.optim, (*ROWS, *eight_bit.ROWS)
    lives = lives.LIVES

    def capabilities(self) -> tuple[Capability, ...]:
        """The quantizers and the tables' optimizers."""
        quantizer = QuantizerCapability(
            rule="dynamic_8bit",
            dialect={**eight_bit.DIALECT, "nan": "ignore"},
            fixed={"absmax_floor": 0.0},
        )
        # Of a map of one's own.
        mapped = QuantizerCapability(
            rule=MAPPED, dialect={"normalise": "reciprocal"}, fixed={"least": 0.0}
        )
        blocks = (
            quantizer,
            mapped,
            *four_bit.capabilities(),
            *nested.capabilities(),
            int8_rows.capability(),
            precision.capability(),
        )
        return (*blocks, *super().capabilities())

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The codes of x and the absmax of its blocks."""
        if capability.rule in four_bit.RULES:
            return four_bit.encode(capability.rule, hyper, x)
        if capability.rule in nested.RULES:
            return nested.encode(capability.rule, hyper, x)
        if capability.rule == int8_rows.RULE:
            return int8_rows.encode(x)
        code, state = functional.quantize_blockwise(
            to_tensor(x), code=_map(capability, hyper), blocksize=hyper.block_size
        )
        absmax = "scale" if capability.rule == MAPPED else "absmax"
        return {"code": from_tensor(code), absmax: from_tensor(state.absmax)}

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that the codes stand for."""
        if capability.rule in four_bit.RULES:
            return four_bit.decode(capability.rule, hyper, stored)
        if capability.rule in nested.RULES:
            return nested.decode(capability.rule, hyper, stored)
        if capability.rule == int8_rows.RULE:
            return int8_rows.decode(stored)
        decoded = functional.dequantize_blockwise(
            to_tensor(stored["code"]),
            absmax=to_tensor(stored["scale" if capability.rule == MAPPED else "absmax"]),
            code=_map(capability, hyper),
            blocksize=hyper.block_size,
        )
        return from_tensor(decoded)

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """The bits of a state."""
        return precision.outputs(hyper, inputs)

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """What belongs to the optimizer is taken out of its only group."""
        own = {"max_unorm": float(entries[0].pop("max_unorm"))} if row.apart else {}
        return getattr(bitsandbytes.optim, row.optimizer)(
            entries, **{"lr": 1.0, **row.options, **own}
        )
