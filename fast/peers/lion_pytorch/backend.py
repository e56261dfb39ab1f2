"""lion-pytorch on the CPU: its single-tensor and its foreach form, with either decay.

It has no counter: t + 1 comes from here. decoupled_weight_decay divides the decay by the rate that
the optimizer was built with, so each group is an optimizer of its own.
"""

from dataclasses import replace

import lion_pytorch.foreach
import lion_pytorch.lion_pytorch
import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import BETAS, DECAY, ELEMENTS, IN_FLOAT32, Named, Row
from truestep.fast.peers.torch_signatures import life

_LION = Row(
    "lion",
    "lion_pytorch",
    {"m": "exp_avg"},
    {**BETAS, **DECAY},
    dialect={"nan_sign": "zero"},
    arithmetic=ELEMENTS,
    counter="",
    apart=True,
)
_UNSCALED = replace(
    _LION,
    prefix="unscaled_",
    dialect={"decay": "unscaled", "nan_sign": "zero"},
    # The rate it is built with has to be positive, and is the one that is divided by.
    options={"decoupled_weight_decay": True, "lr": 3e-3},
    fixed={"lr": 3e-3},
    arithmetic=IN_FLOAT32,
)

# optimizer: the module of the library that defines Lion.
ROWS: tuple[Row, ...] = (
    _LION,
    replace(_LION, optimizer="foreach", paths={"foreach": {}}),
    _UNSCALED,
    replace(_UNSCALED, optimizer="foreach", paths={"foreach": {}}),
)


class Backend(torch_like.Backend):
    """The two classes Lion of lion_pytorch."""

    name, library, rows = "lion_pytorch", lion_pytorch, ROWS
    lives = (
        life("Lion", lion_pytorch.lion_pytorch.Lion),
        life("Lion_foreach", lion_pytorch.foreach.Lion),
    )

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """Of the row's module."""
        return getattr(lion_pytorch, row.optimizer).Lion(entries, **row.options)
