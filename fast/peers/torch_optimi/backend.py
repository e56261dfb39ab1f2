"""optimi on the CPU, without Triton: in lists, one by one, and in the backward pass."""

from __future__ import annotations

import optimi
import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import Named, Row
from truestep.fast.peers.torch_optimi.rows import ROWS


class Backend(torch_like.Backend):
    """optimi's classes, whose counter is an int32 tensor."""

    name, library, rows = "torch_optimi", optimi, ROWS
    # Of lists, and of decays that lr leaves alone.
    warns = True

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """Of a released one step() steps each parameter alone, as hooks do in a backward pass."""
        optimizer = super().build(row, entries)
        if row.options.get("gradient_release"):
            whole = optimizer.step

            def each() -> None:
                for group in optimizer.param_groups:
                    for param in group["params"]:
                        whole(param=param)

            optimizer.step = each
        return optimizer

    def count(self, t: int) -> object:
        """The number of steps made as the library keeps it."""
        return torch.tensor(t, dtype=torch.int32)
