"""The authors' CAME on the CPU."""

from __future__ import annotations

import came_pytorch

from truestep.fast.peers import torch_like
from truestep.fast.peers.came_pytorch.rows import ROWS


class Backend(torch_like.Backend):
    """came_pytorch.CAME."""

    name, library, rows = "came_pytorch", came_pytorch, ROWS
