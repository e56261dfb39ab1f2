"""apollo-torch's APOLLOAdamW on the CPU, scaling by channel (APOLLO) or by tensor (APOLLO-Mini).

Norms add one number after another. Its projections are drawn from torch's generator: it is handed
the state's, before the first step in the place of its own, and no refresh is due afterwards. Only
matrices are in a group with a rank.
"""

from collections.abc import Mapping

import apollo_torch.apollo
import numpy as np
import torch
from apollo_torch.random_projector import GradientProjector

from truestep.fast.peers import torch_like
from truestep.fast.peers.low_rank import is_projected
from truestep.fast.peers.torch_like import (
    BETAS,
    DECAY,
    EPS,
    MOMENTS,
    SEQUENTIAL,
    Bridge,
    Named,
    Row,
    never,
)
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Fixed, Slot
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import apollo

# What makes a mini of it.
MINI: Mapping[str, Fixed] = {"rank": 1, "scale": 128.0}


def turned(matrix: torch.Tensor) -> Array:
    """A projection in our orientation: theirs is multiplied by transposed, on either side."""
    return np.ascontiguousarray(from_tensor(matrix).T)


def _bridge(scale_type: str) -> Bridge:
    def entries(hyper: Hyper, slot: Slot) -> Named:
        if not is_projected(hyper, slot):
            return {}
        return {
            "rank": hyper.rank,
            "proj": "random",
            "scale_type": scale_type,
            "scale": hyper.scale,
            "update_proj_gap": hyper.update_gap,
            "proj_type": "std",
        }

    return Bridge(entries, _enter, _leave)


def _enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    if slot.state["t"] == 0:
        state.clear()
    if is_projected(hyper, slot):
        matrix = to_tensor(slot.state["projection"]).t()
        projector = GradientProjector(
            hyper.rank, update_proj_gap=hyper.update_gap, scale=hyper.scale
        )
        projector.ortho_matrix = matrix
        projector.get_orthogonal_matrix = lambda *_, **__: matrix
        state["projector"] = projector
        if slot.state["t"]:
            state["scaled_grad"] = to_tensor(slot.state["norm"])


def _leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    if not is_projected(hyper, slot):
        return {}
    out: Named = {"projection": turned(state["projector"].ortho_matrix)}
    # With disable_nl nothing keeps the norm.
    if "scaled_grad" in state:
        out["norm"] = from_tensor(state["scaled_grad"])
    return out


def _rows(prefix: str, form: Mapping[str, str], fixed: Mapping[str, Fixed]) -> tuple[Row, ...]:
    def row(
        variant: str, dialect: Mapping[str, str], arithmetic: Mapping[str, str] = SEQUENTIAL
    ) -> Row:
        return Row(
            "apollo",
            "AdamW",
            MOMENTS,
            {**BETAS, **EPS, **DECAY},
            dialect={"correction": "last", "guard": "eps", **form, **dialect},
            fixed={"growth": 1.01, "update_gap": apollo.NEVER, **fixed},
            paths={prefix + variant: {} if variant == "default" else {variant: True}},
            arithmetic=arithmetic,
            key=is_projected,
            fresh=never,
            bridge=_bridge(form.get("scaling", "channel")),
        )

    return (
        row(
            "default", {"scale_placement": "after"}, {**SEQUENTIAL, "float64": "sequential_float64"}
        ),
        row("disable_nl", {"limiter": "none", "scale_placement": "after"}),
        row("scale_front", {"scale_placement": "before"}),
    )


ROWS: tuple[Row, ...] = (*_rows("", {}, {"rank": 4}), *_rows("mini_", {"scaling": "tensor"}, MINI))


class Backend(torch_like.Backend):
    """apollo_torch.APOLLOAdamW."""

    name, library, rows = "apollo_torch", apollo_torch.apollo, ROWS

    def drawn(self, rank: int, shape: tuple[int, int], seed: int) -> Array:
        """The projection that apollo-torch draws for a matrix of that shape, in our orientation."""
        projector = GradientProjector(rank, seed=seed)
        projector.project(torch.zeros(shape), 0)
        return turned(projector.ortho_matrix)
