"""galore-torch's GaLoreAdamW on the CPU, with every kind of projector.

Between refreshes it is handed the projector, at a refresh it takes its own from torch's SVD, in
float32 whatever the format. Only matrices are in a group with a rank, as its users arrange it.
"""

from dataclasses import replace

import galore_torch.adamw
from galore_torch.galore_projector import GaLoreProjector

from truestep.fast.peers import torch_like
from truestep.fast.peers.low_rank import is_projected
from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, MOMENTS, Bridge, Named, Row
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _bridge(kind: str) -> Bridge:
    def entries(hyper: Hyper, slot: Slot) -> Named:
        if not is_projected(hyper, slot):
            return {}
        gap, scale = hyper.update_gap, hyper.scale
        return {"rank": hyper.rank, "update_proj_gap": gap, "scale": scale, "proj_type": kind}

    def enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
        if is_projected(hyper, slot):
            projector = GaLoreProjector(
                hyper.rank, update_proj_gap=hyper.update_gap, scale=hyper.scale, proj_type=kind
            )
            sides = [to_tensor(slot.state[side]) for side in ("left", "right")]
            used = [side for side in sides if side.numel()]
            projector.ortho_matrix = used if kind == "full" else used[0]
            state["projector"] = projector

    def leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
        if not is_projected(hyper, slot):
            return {}
        found = state["projector"].ortho_matrix
        matrices = list(found) if isinstance(found, list) else [found]
        sides = [side for side in ("left", "right") if slot.state[side].size]
        return {side: from_tensor(x) for side, x in zip(sides, matrices, strict=True)}

    return Bridge(entries, enter, leave)


def _row(kind: str, side: str) -> Row:
    return Row(
        "galore",
        "AdamW",
        MOMENTS,
        {**BETAS, **EPS, **DECAY},
        dialect={"decay": "after", "eps_placement": "before_correction", "side": side},
        options={"no_deprecation_warning": True},
        fixed={"rank": 2},
        paths={kind: {}},
        key=is_projected,
        bridge=_bridge(kind),
    )


_STD = _row("std", "smaller")

ROWS: tuple[Row, ...] = (
    _row("full", "both"),
    _row("left", "left"),
    _row("reverse_std", "larger"),
    _row("right", "right"),
    replace(_STD, arithmetic={"float32": "ieee_float32", "float64": "ieee_float64"}),
    replace(_STD, paths={"std_full_rank": {}}, fixed={"rank": 128}),
    replace(_STD, paths={"std_often": {}}, fixed={"rank": 2, "update_gap": 3}),
)


class Backend(torch_like.Backend):
    """galore_torch.GaLoreAdamW."""

    name, library, rows = "galore_torch", galore_torch.adamw, ROWS
