"""The table of adan-pytorch, whose betas are weights of what is new."""

from __future__ import annotations

from truestep.fast.peers.torch_like import DECAY, EPS, Bridge, Named, Row
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
