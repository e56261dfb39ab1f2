"""schedulefree on the CPU, in train mode."""

from __future__ import annotations

import schedulefree

from truestep.fast.peers import torch_like
from truestep.fast.peers.schedulefree.rows import ROWS


class Backend(torch_like.Backend):
    """schedulefree's classes."""

    name, library, rows = "schedulefree", schedulefree, ROWS
