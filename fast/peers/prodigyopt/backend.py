"""The authors' Prodigy on the CPU."""

from __future__ import annotations

import prodigyopt

from truestep.fast.peers import torch_like
from truestep.fast.peers.prodigyopt.rows import ROWS


class Backend(torch_like.Backend):
    """prodigyopt.Prodigy."""

    name, library, rows = "prodigyopt", prodigyopt, ROWS
