"""HeavyBall on the CPU, uncompiled, one tensor after the other ("single") and in lists ("multi").

HeavyBall compiles every function with torch.compile unless heavyball.utils.compile_mode is None,
which is set here for the whole process. Compiled it computes the same lines; every shape and every
number of tensors would be compiled anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import heavyball
import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.heavyball.rows import ROWS
from truestep.fast.peers.torch_like import Named, Row
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper

heavyball.utils.compile_mode = None
heavyball.utils.dither_steps = 0


class Backend(torch_like.Backend):
    """heavyball's classes, of which each group and count has its own."""

    name, library, rows = "heavyball", heavyball, ROWS

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """Hyperparameters are arguments."""
        [entry] = entries
        params = entry.pop("params")
        dtype = str(params[0].dtype).removeprefix("torch.")
        make = getattr(heavyball, row.optimizer)
        return make(params, **entry, **row.options, storage_dtype=dtype)

    def named(self, row: Row, optimizer: torch.optim.Optimizer) -> Row:
        """The library names a tensor of its state by the function that uses it."""
        names = {ours: optimizer._find_val_name(theirs) for ours, theirs in row.state.items()}
        return replace(row, state=names)

    def state_of(self, optimizer: torch.optim.Optimizer, param: torch.Tensor) -> Named:
        """By parameter and view of it."""
        state: Named = optimizer.state_(param)
        return state

    def step(
        self, row: Row, optimizer: torch.optim.Optimizer, slots: Sequence[tuple[Hyper, Slot]]
    ) -> None:
        """State that has been handed over is not to be made again."""
        for param in optimizer.param_groups[0]["params"]:
            if state := optimizer.state_(param):
                state["is_initialized"] = set(optimizer._transform_ids)
        optimizer.step()
