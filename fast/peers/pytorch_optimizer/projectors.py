"""States of pytorch-optimizer's optimizers that project gradients: GaLore and APOLLO.

The library hangs a projector on the state of every matrix. It is handed the given one before a
step, APOLLO also before the first, which would draw from torch's generator.
"""

import numpy as np
import torch
from pytorch_optimizer.optimizer.utils.galore import GaLoreProjector

from truestep.fast.peers.low_rank import is_projected
from truestep.fast.peers.torch_like import Bridge, Named
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _projector(group: Named, matrix: torch.Tensor | tuple[torch.Tensor, ...]) -> GaLoreProjector:
    names = ("rank", "update_proj_gap", "scale", "projection_type")
    projector = GaLoreProjector(**{name: group[name] for name in names})
    projector.ortho_matrix = matrix
    return projector


def _enter_galore(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    """Before the first step the library has no projector."""
    if is_projected(hyper, slot) and slot.state["t"] > 0:
        sides = [to_tensor(slot.state[side]) for side in ("left", "right")]
        used = tuple(side for side in sides if side.numel())
        state["projector"] = _projector(group, used if len(used) > 1 else used[0])


def _leave_galore(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    """The projectors that are used; the empty ones stay."""
    if not is_projected(hyper, slot):
        return {}
    found = state["projector"].ortho_matrix
    sides = [side for side in ("left", "right") if slot.state[side].size]
    matrices = found if isinstance(found, tuple) else (found,)
    return {side: from_tensor(x) for side, x in zip(sides, matrices, strict=True)}


def _enter_apollo(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    """The library multiplies by the transposed projection, on either side."""
    if is_projected(hyper, slot):
        state["projector"] = _projector(group, to_tensor(slot.state["projection"]).t())
        if slot.state["t"] > 0:
            state["scaling_grad"] = to_tensor(slot.state["norm"])


def _leave_apollo(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    """The projection, and the norm of the last update."""
    if not is_projected(hyper, slot):
        return {}
    matrix = from_tensor(state["projector"].ortho_matrix)
    return {
        "projection": np.ascontiguousarray(matrix.T),
        "norm": from_tensor(state["scaling_grad"]),
    }


APOLLO = Bridge(enter=_enter_apollo, leave=_leave_apollo)
GALORE = Bridge(enter=_enter_galore, leave=_leave_galore)
