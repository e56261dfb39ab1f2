"""bitsandbytes on the CPU: its optimizers, and block-wise dynamic 8-bit quantization.

The optimizers with 32-bit state are the classes of bitsandbytes.optim: see rows.py. For 8 bits the
functions called are those that its optimizers and its users call, of bitsandbytes.functional. All
compute in float32; absmax is inverted, then multiplied by.
"""

from collections.abc import Mapping, Sequence

import bitsandbytes.optim
import torch
from bitsandbytes import functional

from truestep.fast.peers import torch_like
from truestep.fast.peers.bitsandbytes import eight_bit
from truestep.fast.peers.bitsandbytes.rows import ROWS
from truestep.fast.peers.dynamic_map import map_dialect
from truestep.fast.peers.torch_like import Named, Row
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, Group, QuantizerCapability, Stepped
from truestep.reference.declared import Hyper


class Backend(torch_like.Backend):
    """bitsandbytes' CPU path."""

    name, library, rows = "bitsandbytes", bitsandbytes.optim, ROWS

    def __init__(self) -> None:
        super().__init__()
        # Kept alive: bitsandbytes recognises a map by its address.
        self._maps = {s: functional.create_dynamic_map(signed=s) for s in (True, False)}
        self._map = map_dialect(self._maps[True].double().numpy())

    def capabilities(self) -> tuple[Capability, ...]:
        """The quantizer at every block length, AdamW on 8-bit moments, the table's optimizers."""
        shared = {"map": self._map, "normalise": "reciprocal", "zero_block": "first_code"}
        quantizer = QuantizerCapability(
            rule="dynamic_8bit", dialect={**shared, "nan": "ignore"}, fixed={"absmax_floor": 0.0}
        )
        return (quantizer, eight_bit.capability(shared), *super().capabilities())

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The codes of x and the absmax of its blocks."""
        code, state = functional.quantize_blockwise(
            to_tensor(x), code=self._maps[hyper.signed], blocksize=hyper.block_size
        )
        return {"code": from_tensor(code), "absmax": from_tensor(state.absmax)}

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that the codes stand for."""
        decoded = functional.dequantize_blockwise(
            to_tensor(stored["code"]),
            absmax=to_tensor(stored["absmax"]),
            code=self._maps[hyper.signed],
            blocksize=hyper.block_size,
        )
        return from_tensor(decoded)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step on every slot, of an optimizer of the table or of AdamW8bit."""
        if not any(group.storage for group in groups):
            return super().optimizer_step(capability, groups)
        return [
            [eight_bit.stepped(self._maps, group.hyper, slot) for slot in group.slots]
            for group in groups
        ]

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """What belongs to the optimizer is taken out of its only group."""
        own = {"max_unorm": float(entries[0].pop("max_unorm"))} if row.apart else {}
        return getattr(bitsandbytes.optim, row.optimizer)(
            entries, **{"lr": 1.0, **row.options, **own}
        )
