"""galore-torch on the CPU."""

from __future__ import annotations

import galore_torch.adamw

from truestep.fast.peers import torch_like
from truestep.fast.peers.galore_torch.rows import ROWS


class Backend(torch_like.Backend):
    """galore_torch.GaLoreAdamW."""

    name, library, rows = "galore_torch", galore_torch.adamw, ROWS
