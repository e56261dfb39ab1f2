"""lomo-optim on the CPU: LOMO and AdaLomo, whose steps are made inside backward().

AdaLomo asks for CUDA as it is built; here its state stays where it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

import lomo_optim
import torch

from truestep.fast.peers import torch_backward, torch_like
from truestep.fast.peers.lomo_optim.rows import ROWS
from truestep.fast.peers.torch_like import Row
from truestep.fast.protocol import Group, Stepped


class Backend(torch_like.Backend):
    """lomo_optim's optimizers, each of a model of one tensor."""

    name, library, rows = "lomo_optim", lomo_optim, ROWS

    def stepped(self, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
        """One backward pass for each tensor."""

        def build(model: torch.nn.Module, **arguments: object) -> torch.optim.Optimizer:
            with mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor):
                return getattr(lomo_optim, row.optimizer)(model, **arguments)

        return [
            [
                torch_backward.stepped(row, group.hyper, slot, build=build, counter="step_num")
                for slot in group.slots
            ]
            for group in groups
        ]
