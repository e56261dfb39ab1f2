"""apollo-torch on the CPU."""

from __future__ import annotations

import apollo_torch.apollo
import torch
from apollo_torch.random_projector import GradientProjector

from truestep.fast.peers import torch_like
from truestep.fast.peers.apollo_torch.rows import ROWS, turned
from truestep.fast.protocol import Array


class Backend(torch_like.Backend):
    """apollo_torch.APOLLOAdamW."""

    name, library, rows = "apollo_torch", apollo_torch.apollo, ROWS

    def drawn(self, rank: int, shape: tuple[int, int], seed: int) -> Array:
        """The projection that apollo-torch draws for a matrix of that shape, in our orientation."""
        projector = GradientProjector(rank, seed=seed)
        projector.project(torch.zeros(shape), 0)
        return turned(projector.ortho_matrix)
