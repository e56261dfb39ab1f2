"""The authors' Adam-mini on the CPU, which takes named parameters."""

from __future__ import annotations

import adam_mini
import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.adam_mini.rows import ROWS
from truestep.fast.peers.torch_like import Named, Row


class Backend(torch_like.Backend):
    """adam_mini.Adam_mini of one parameter."""

    name, library, rows = "adam_mini", adam_mini, ROWS

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """The width is that for which the tensor has as many heads as it is to have."""
        [entry] = entries
        [param] = entry.pop("params")
        param.requires_grad_()
        size = max(param.numel(), 1)
        width = {"dim": size, "n_heads": size * entry.pop("heads", 1)}
        optimizer = adam_mini.Adam_mini([(row.module, param)], lr=1.0, **row.options, **width)
        optimizer.param_groups[0].update(entry)
        return optimizer
