"""lucidrains' Adan on the CPU."""

from __future__ import annotations

import adan_pytorch

from truestep.fast.peers import torch_like
from truestep.fast.peers.adan_pytorch.rows import ROWS


class Backend(torch_like.Backend):
    """adan_pytorch.Adan."""

    name, library, rows = "adan_pytorch", adan_pytorch, ROWS
