"""bitsandbytes on the CPU: its optimizers, and block-wise dynamic 8-bit quantization.

The optimizers with 32-bit state are the classes of bitsandbytes.optim: see bitsandbytes_rows.py.
For 8 bits the functions called are those that its optimizers and its users call, of
bitsandbytes.functional: quantize_blockwise, dequantize_blockwise and
optimizer_update_8bit_blockwise ("adam", which decays as AdamW does): a class of bitsandbytes.optim
keeps 8-bit state of tensors of 4096 elements and more alone. All compute in float32; absmax is
inverted, then multiplied by.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from truestep.fast.peers.bitsandbytes import rows as bitsandbytes_rows
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import (
    Array,
    BackendUnavailable,
    Capability,
    Group,
    Slot,
    Stepped,
)
from truestep.reference.quantizers import dynamic_8bit

# The optimizer's block length, in _optimizer_update_8bit_blockwise_cpu.
BLOCK = 256


class Backend:
    """bitsandbytes' CPU path."""

    name = "bitsandbytes"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._functional = importlib.import_module("bitsandbytes.functional")
            self._optim = importlib.import_module("bitsandbytes.optim")
        except Exception as error:
            raise BackendUnavailable(f"bitsandbytes cannot be imported: {error}") from error
        # Kept alive: bitsandbytes recognises a map by its address.
        self._maps = {s: self._functional.create_dynamic_map(signed=s) for s in (True, False)}
        self._map = map_dialect(self._maps[True].double().numpy())

    def capabilities(self) -> tuple[Capability, ...]:
        """The quantizer at every block length, AdamW on 8-bit moments, the table's optimizers."""
        shared = {"map": self._map, "normalise": "reciprocal", "zero_block": "first_code"}
        quantizer = Capability(
            kind="quantizer",
            rule="dynamic_8bit",
            dialect={**shared, "nan": "ignore"},
            fixed={"absmax_floor": 0.0},
        )
        optimizer = Capability(
            kind="optimizer",
            rule="adamw_8bit",
            dialect={**shared, "decay": "before"},
            fixed={"absmax_floor": 0.0, "block_size": BLOCK, "maximize": False},
        )
        return (quantizer, optimizer, *bitsandbytes_rows.capabilities())

    def encode(self, capability: Capability, hyper: Any, x: Array) -> Mapping[str, Array]:
        """The codes of x and the absmax of its blocks."""
        torch = self._torch
        code, state = self._functional.quantize_blockwise(
            to_tensor(torch, x), code=self._maps[hyper.signed], blocksize=hyper.block_size
        )
        return {"code": from_tensor(torch, code), "absmax": from_tensor(torch, state.absmax)}

    def decode(self, capability: Capability, hyper: Any, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that the codes stand for."""
        torch = self._torch
        decoded = self._functional.dequantize_blockwise(
            to_tensor(torch, stored["code"]),
            absmax=to_tensor(torch, stored["absmax"]),
            code=self._maps[hyper.signed],
            blocksize=hyper.block_size,
        )
        return from_tensor(torch, decoded)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step on every slot, of an optimizer of the table or of AdamW8bit."""
        if row := bitsandbytes_rows.find(capability.rule, capability.variant):
            return bitsandbytes_rows.stepped(self._torch, self._optim, row, groups)
        return [[self._step(group.hyper, slot) for slot in group.slots] for group in groups]

    def _step(self, hyper: Any, slot: Slot) -> Stepped:
        torch = self._torch
        param = to_tensor(torch, np.ascontiguousarray(slot.param).reshape(slot.param.shape))
        state = {
            name: to_tensor(torch, np.ascontiguousarray(x).reshape(x.shape))
            for name, x in slot.state.items()
            if name != "t"
        }
        t = slot.state["t"] + 1
        self._functional.optimizer_update_8bit_blockwise(
            "adam",
            to_tensor(torch, np.ascontiguousarray(slot.grad).reshape(slot.grad.shape)),
            param,
            state["m_code"],
            state["v_code"],
            hyper.beta1,
            hyper.beta2,
            0.0,
            0.0,
            hyper.eps,
            t,
            hyper.lr,
            self._maps[True],
            self._maps[False],
            state["m_absmax"],
            state["v_absmax"],
            hyper.weight_decay,
        )
        stored = {name: from_tensor(torch, x) for name, x in state.items()}
        return Stepped(from_tensor(torch, param), {**stored, "t": t})


def map_dialect(signed_map: Array) -> str:
    """Which of the reference's two roundings of the map a library's own table shows."""
    separate = dynamic_8bit.all_values(dynamic_8bit.Hyper(map="separate"))
    return "separate" if np.array_equal(signed_map, separate) else "fused"
