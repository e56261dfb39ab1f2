"""adan-pytorch on the CPU: lucidrains' Adan, whose betas are weights of what is new."""

import adan_pytorch

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import DECAY, EPS, Bridge, Named, Row
from truestep.fast.peers.torch_signatures import life
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _complements(hyper: Hyper, slot: Slot) -> Named:
    return {"betas": (1 - hyper.beta1, 1 - hyper.beta2, 1 - hyper.beta3)}


ROWS: tuple[Row, ...] = (
    Row(
        "adan",
        "Adan",
        {"m": "m", "v": "v", "n": "n", "previous": "prev_grad"},
        {**EPS, **DECAY},
        dialect={"start": "corrected"},
        bridge=Bridge(_complements),
    ),
)


class Backend(torch_like.Backend):
    """adan_pytorch.Adan."""

    name, library, rows = "adan_pytorch", adan_pytorch, ROWS
    lives = (life("Adan", adan_pytorch.Adan),)
