"""States of pytorch-optimizer's optimizers that project gradients: GaLore and APOLLO.

The library hangs a projector on the state of every matrix. It is handed the given one before a
step, APOLLO also before the first, which would draw from torch's generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from truestep.fast.peers.low_rank import is_projected
from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Array, Slot

Named = dict[str, Any]


def _projector(group: Mapping[str, Any], matrix: Any) -> Any:
    from pytorch_optimizer.optimizer.utils.galore import GaLoreProjector

    names = ("rank", "update_proj_gap", "scale", "projection_type")
    projector = GaLoreProjector(**{name: group[name] for name in names})
    projector.ortho_matrix = matrix
    return projector


def enter_galore(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    """Before the first step the library has no projector."""
    if is_projected(slot) and slot.state["t"] > 0:
        sides = [to_tensor(torch, slot.state[side]) for side in ("left", "right")]
        used = tuple(side for side in sides if side.numel())
        state["projector"] = _projector(group, used if len(used) > 1 else used[0])


def leave_galore(
    torch: Any, group: Named, state: Named, hyper: Any, slot: Slot
) -> dict[str, Array]:
    """The projectors that are used; the empty ones stay."""
    out = {side: slot.state[side].copy() for side in ("left", "right")}
    if is_projected(slot):
        found = state["projector"].ortho_matrix
        matrices = list(found) if isinstance(found, tuple) else [found]
        for side in ("left", "right"):
            if out[side].size:
                out[side] = from_tensor(torch, matrices.pop(0))
    return out


def enter_apollo(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    """The library multiplies by the transposed projection, on either side."""
    if is_projected(slot):
        state["projector"] = _projector(group, to_tensor(torch, slot.state["projection"]).t())
        if slot.state["t"] > 0:
            state["scaling_grad"] = to_tensor(torch, slot.state["norm"])


def leave_apollo(
    torch: Any, group: Named, state: Named, hyper: Any, slot: Slot
) -> dict[str, Array]:
    """The projection, and the norm of the last update."""
    out = {name: slot.state[name].copy() for name in ("projection", "norm")}
    if is_projected(slot):
        matrix = from_tensor(torch, state["projector"].ortho_matrix)
        out["projection"] = np.ascontiguousarray(matrix.T)
        out["norm"] = from_tensor(torch, state["scaling_grad"])
    return out
