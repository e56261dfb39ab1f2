"""lomo-optim on the CPU: LOMO and AdaLomo, whose steps are made inside backward().

They compute in float32, whatever the parameter's format. AdaLomo asks for CUDA as it is built; here
its state stays where it was made. The library adds 1e-6 to the norm; its loss scale is that of
float16, which needs CUDA.
"""

from collections.abc import Sequence
from dataclasses import replace
from unittest import mock

import lomo_optim
import torch

from truestep.fast.peers import torch_backward, torch_like
from truestep.fast.peers.torch_like import DECAY, SEQUENTIAL, SIDES, Row
from truestep.fast.protocol import Group, Stepped

_ADALOMO = Row(
    "adalomo",
    "AdaLomo",
    {"r": "exp_avg_sq_row", "c": "exp_avg_sq_col"},
    {
        "eps1": "eps",
        "eps2": "eps",
        "decay_rate": "-decay_rate",
        "clip_threshold": "clip_threshold",
        **DECAY,
    },
    paths={"fused": {"loss_scale": 0}},
    arithmetic=SEQUENTIAL,
    squeezed=SIDES,
    shapes="matrices",
)
_LOMO = Row(
    "lomo",
    "Lomo",
    {},
    DECAY,
    paths={"fused": {}},
    fixed={"eps": 1e-6, "loss_scale": 1.0},
    arithmetic=SEQUENTIAL,
)
_NORM = {"clip_norm": "clip_grad_norm"}
_VALUE = {"clip_value": "clip_grad_value"}

ROWS: tuple[Row, ...] = (
    _ADALOMO,
    # Where the gradient is multiplied by the loss scale of 2^10 and divided by it.
    replace(_ADALOMO, prefix="scaled_", paths={"fused": {}}),
    replace(_LOMO, numbers={**DECAY, **_NORM, **_VALUE}, prefix="both_", dialect={"clip": "both"}),
    replace(_LOMO, arithmetic={"bfloat16": "bfloat16_params", **SEQUENTIAL}),
    replace(_LOMO, numbers={**DECAY, **_NORM}, prefix="norm_", dialect={"clip": "norm"}),
    replace(_LOMO, numbers={**DECAY, **_VALUE}, prefix="value_", dialect={"clip": "value"}),
)


class Backend(torch_like.Backend):
    """lomo_optim's optimizers, each of a model of one tensor."""

    name, library, rows = "lomo_optim", lomo_optim, ROWS

    def stepped(self, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
        """One backward pass for each tensor."""

        def build(model: torch.nn.Module, **arguments: object) -> torch.optim.Optimizer:
            with mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor):
                return getattr(lomo_optim, row.optimizer)(model, **arguments)

        return [
            [
                torch_backward.stepped(row, group.hyper, slot, build=build, counter="step_num")
                for slot in group.slots
            ]
            for group in groups
        ]
