"""mup: the rates and decays that MuAdam, MuAdamW and MuSGD give to a layer's weight or bias.

The layer is one tensor, whose base shapes are made as for any model: from a base model and one
whose widths differ. Rates and decays are Python doubles in the optimizer's param_groups.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from truestep.fast.peers.torch_arrays import import_torch
from truestep.fast.protocol import BackendUnavailable, Capability

# The size of an axis that does not grow with the model.
FINITE = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One of mup's optimizers as an implementation of a reference rule."""

    rule: str
    variant: str
    optimizer: str


ROWS: tuple[Row, ...] = (
    Row("mup_adam", "adam", "MuAdam"),
    Row("mup_adam", "adamw", "MuAdamW"),
    Row("mup_sgd", "", "MuSGD"),
)


class Backend:
    """mup's optimizers, of which only the param_groups are asked for."""

    name = "mup"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._mup = importlib.import_module("mup")
        except ImportError as error:
            raise BackendUnavailable(f"mup cannot be imported: {error}") from error
        self._optimizers = {(row.rule, row.variant): row.optimizer for row in ROWS}

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer, in Python's doubles."""
        return tuple(
            Capability(
                kind="training",
                rule=row.rule,
                format="float64",
                arithmetic="ieee_float64",
                dialect={"form": "package"},
                variant=row.variant,
            )
            for row in ROWS
        )

    def training_piece(
        self, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The rate and the decay of the layer's param_group."""
        # As integers over integers, which no division rounds.
        fan_in, base_in = float(hyper.fan_in).as_integer_ratio()
        fan_out, base_out = float(getattr(hyper, "fan_out", 1.0)).as_integer_ratio()
        base, other, layer = (
            self._layer(_shape(inputs["role"], *widths))
            for widths in ((base_out, base_in), (base_out + 1, base_in + 1), (fan_out, fan_in))
        )
        shapes = self._mup.make_base_shapes(base, other)
        self._mup.set_base_shapes(layer, shapes, rescale_params=False)
        make = getattr(self._mup, self._optimizers[capability.rule, capability.variant])
        optimizer = make(layer.parameters(), lr=hyper.lr, weight_decay=hyper.weight_decay)
        (group,) = (group for group in optimizer.param_groups if group["params"])
        return {"lr": group["lr"], "weight_decay": group["weight_decay"]}

    def _layer(self, shape: tuple[int, ...]) -> Any:
        layer = self._torch.nn.Module()
        # On no device, so that widths are not limited by memory.
        layer.weight = self._torch.nn.Parameter(self._torch.zeros(shape, device="meta"))
        return layer


def _shape(role: str, fan_out: int, fan_in: int) -> tuple[int, ...]:
    """The shape of a weight or a bias of that role, as torch lays them out."""
    return {
        "bias": (fan_out,),
        "hidden": (fan_out, fan_in),
        "input": (fan_out, FINITE),
        "output": (FINITE, fan_in),
    }[role]
