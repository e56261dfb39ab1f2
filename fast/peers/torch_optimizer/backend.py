"""jettify's torch_optimizer on the CPU."""

from __future__ import annotations

import torch_optimizer

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_optimizer.rows import ROWS


class Backend(torch_like.Backend):
    """torch_optimizer's classes."""

    name, library, rows = "torch_optimizer", torch_optimizer, ROWS
    # It calls torch by signatures that are deprecated.
    warns = True
