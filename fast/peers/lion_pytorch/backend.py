"""lion-pytorch on the CPU."""

from __future__ import annotations

import lion_pytorch.foreach
import lion_pytorch.lion_pytorch
import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.lion_pytorch.rows import ROWS
from truestep.fast.peers.torch_like import Named, Row


class Backend(torch_like.Backend):
    """The two classes Lion of lion_pytorch."""

    name, library, rows = "lion_pytorch", lion_pytorch, ROWS

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """Of the row's module."""
        return getattr(lion_pytorch, row.optimizer).Lion(entries, **row.options)
