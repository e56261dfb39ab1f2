"""Muon over the iteration of truestep.fast.ours.matrices."""

import numpy as np
import torch

from truestep.fast.ours.matrices import MATRICES
from truestep.reference.declared import Hyper
from truestep.torch.base import PARAMETER_STATE
from truestep.torch.by_tensor import ByTensor
from truestep.torch.rows import Row, Stepping
from truestep.torch.stored import Form, Group, Held


class Muon(ByTensor):
    """Muon, as torch.optim.Muon, but that the iteration is in float32 and not in bfloat16.

    Besides its namesake's arguments it takes maximize, and as the other classes do:
    state: how the momentum is kept: "float32", "bfloat16", "8bit" or "4bit".
    min_8bit_size: tensors of fewer elements keep a float32 momentum in spite of the last two.
    """

    row = Row(
        Stepping("muon", {"b": "momentum_buffer"}, {"momentum_form": "ema", "norm_guard": "floor"}),
        {
            "lr": 1e-3,
            "weight_decay": 0.1,
            "momentum": 0.95,
            "nesterov": True,
            "ns_coefficients": (3.4445, -4.775, 2.0315),
            "eps": 1e-7,
            "ns_steps": 5,
            "adjust_lr_fn": None,
        },
        {"ns_coefficients": ("ns_a", "ns_b", "ns_c"), "adjust_lr_fn": ("scale",)},
        choices={"adjust_lr_fn": {None: "tall", "original": "tall", "match_rms_adamw": "rms"}},
    )

    def require(self, group: Group) -> None:
        """Raise for other arguments, and for what is no matrix."""
        super().require(group)
        for p in group["params"]:
            if p.ndim != 2:
                raise ValueError(f"Muon steps matrices, got a parameter of shape {tuple(p.shape)}")

    def forms(self, p: torch.Tensor, group: Group) -> list[tuple[Form, torch.Tensor]]:
        """The momentum."""
        own = {**group, "state": getattr(p, PARAMETER_STATE, group["state"])}
        return [(self.row.form(self.row.stepping, "b", own, p.numel(), coded=True), p)]

    def move(
        self,
        hyper: Hyper,
        step: int,
        param: torch.Tensor,
        gradient: torch.Tensor,
        state: Held,
        forms: list[Form],
    ) -> None:
        """The step in float32, rounded to what the parameter and the momentum are kept in."""
        (form,) = forms
        momentum = form.decoded(state, param).numpy()
        p, g = (x.float().numpy() for x in (param, gradient))
        with np.errstate(all="ignore"):
            moved, new = MATRICES["muon"].step(hyper, step, p, g, {"b": momentum})
        param.copy_(torch.from_numpy(moved))
        for key, x in form.encoded(torch.from_numpy(new["b"])).items():
            state[key].copy_(x)
