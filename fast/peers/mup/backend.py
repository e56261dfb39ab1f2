"""mup: the rates and decays that MuAdam, MuAdamW and MuSGD give to a layer's weight or bias.

The layer is one tensor, whose base shapes are made as for any model: from a base model and one
whose widths differ. Rates and decays are Python doubles in the optimizer's param_groups.
"""

import mup
import torch

from truestep.fast.protocol import Capability, Inputs, Outputs, TrainingCapability
from truestep.reference.declared import Hyper

# mup's optimizers by rule and variant.
OPTIMIZERS = {
    ("mup_adam", "adam"): mup.MuAdam,
    ("mup_adam", "adamw"): mup.MuAdamW,
    ("mup_sgd", ""): mup.MuSGD,
}
# The size of an axis that does not grow with the model.
FINITE = 3


class Backend:
    """mup's optimizers, of which only the param_groups are asked for."""

    name = "mup"

    def capabilities(self) -> tuple[TrainingCapability, ...]:
        """Every optimizer, in Python's doubles."""
        return tuple(
            TrainingCapability(
                rule=rule,
                format="float64",
                arithmetic="ieee_float64",
                dialect={"form": "package"},
                variant=variant,
            )
            for rule, variant in OPTIMIZERS
        )

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """The rate and the decay of the layer's param_group."""
        # As integers over integers, which no division rounds.
        fan_in, base_in = float(hyper.fan_in).as_integer_ratio()
        fan_out, base_out = float(getattr(hyper, "fan_out", 1.0)).as_integer_ratio()
        base, other, layer = (
            _layer(_shape(inputs["role"], *widths))
            for widths in ((base_out, base_in), (base_out + 1, base_in + 1), (fan_out, fan_in))
        )
        mup.set_base_shapes(layer, mup.make_base_shapes(base, other), rescale_params=False)
        make = OPTIMIZERS[capability.rule, capability.variant]
        optimizer = make(layer.parameters(), lr=hyper.lr, weight_decay=hyper.weight_decay)
        (group,) = (group for group in optimizer.param_groups if group["params"])
        return {"lr": group["lr"], "weight_decay": group["weight_decay"]}


def _layer(shape: tuple[int, ...]) -> torch.nn.Module:
    layer = torch.nn.Module()
    # On no device, so that widths are not limited by memory.
    layer.weight = torch.nn.Parameter(torch.zeros(shape, device="meta"))
    return layer


def _shape(role: str, fan_out: int, fan_in: int) -> tuple[int, ...]:
    """The shape of a weight or a bias of that role, as torch lays them out."""
    return {
        "bias": (fan_out,),
        "hidden": (fan_out, fan_in),
        "input": (fan_out, FINITE),
        "output": (FINITE, fan_in),
    }[role]
