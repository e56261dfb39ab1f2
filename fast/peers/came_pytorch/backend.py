"""The authors' CAME on the CPU. torch's norm adds in a few lanes, one element after another."""

from functools import partial

import came_pytorch

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import (
    BETAS,
    DECAY,
    FACTORED,
    INSTABILITY,
    SEQUENTIAL,
    SIDES,
    Row,
)
from truestep.fast.peers.torch_signatures import life

ROWS: tuple[Row, ...] = (
    Row(
        "came",
        "CAME",
        {**FACTORED, "m": "exp_avg", **INSTABILITY},
        {
            **BETAS,
            "beta3": "betas",
            "eps1": "eps",
            "eps2": "eps",
            "clip_threshold": "clip_threshold",
            **DECAY,
        },
        arithmetic=SEQUENTIAL,
        squeezed={**SIDES, "instability_r": -1, "instability_c": -2},
        shapes="nonempty",
    ),
)


class Backend(torch_like.Backend):
    """came_pytorch.CAME."""

    name, library, rows = "came_pytorch", came_pytorch, ROWS
    # A rate of None, the default, is refused.
    lives = (life("CAME", partial(came_pytorch.CAME, lr=1e-3)),)
