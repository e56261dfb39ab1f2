"""adam-atan2-pytorch on the CPU, with each of its decays.

decoupled_wd divides the decay by the rate that the optimizer was built with. Its cautious steps,
its pull towards the first parameter and its other classes are not judged.
"""

import adam_atan2_pytorch

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import BETAS, DECAY, MOMENTS, Row
from truestep.fast.peers.torch_signatures import life

_ADAM_ATAN2 = Row(
    "adam_atan2", "AdamAtan2", MOMENTS, {**BETAS, "a": "a", "b": "b", **DECAY}, counter="steps"
)
ROWS: tuple[Row, ...] = (
    _ADAM_ATAN2,
    _ADAM_ATAN2.but("cautious_", {"decay": "cautious"}, {"cautious_wd": True}),
    _ADAM_ATAN2.but(
        "unscaled_",
        {"decay": "unscaled"},
        # The rate it is built with has to be positive, and is the one that is divided by.
        {"decoupled_wd": True, "lr": 3e-3},
        fixed={"lr": 3e-3},
    ),
)


class Backend(torch_like.Backend):
    """The class AdamAtan2 of adam_atan2_pytorch."""

    name, library, rows = "adam_atan2_pytorch", adam_atan2_pytorch, ROWS
    lives = (life("AdamAtan2", adam_atan2_pytorch.AdamAtan2),)
