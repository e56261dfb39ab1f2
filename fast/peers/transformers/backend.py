"""transformers on the CPU: Adafactor."""

from __future__ import annotations

import transformers.optimization

from truestep.fast.peers import torch_like
from truestep.fast.peers.transformers.rows import ROWS


class Backend(torch_like.Backend):
    """transformers.optimization.Adafactor."""

    name, library, rows = "transformers", transformers.optimization, ROWS
