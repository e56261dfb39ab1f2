"""pytorch-optimizer on the CPU, one tensor after the other ("single") and in lists ("foreach").

rows.py says which optimizer computes which rule. Those that step inside backward() ("fused") are
handed a loss whose gradient is the given one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import pytorch_optimizer
import torch

from truestep.fast.peers import (
    torch_backward,
    torch_like,
    torch_lookahead,
    torch_schedulers,
    training_row,
)
from truestep.fast.peers.pytorch_optimizer import lives, schedules, training
from truestep.fast.peers.pytorch_optimizer.rows import ROWS
from truestep.fast.peers.pytorch_optimizer.tempered_rows import COUNTS
from truestep.fast.peers.torch_like import Named, Row
from truestep.fast.peers.torch_tensors import to_tensor
from truestep.fast.protocol import Array, Capability, Fixed, Group, Inputs, Outputs, Slot, Stepped
from truestep.reference.declared import Hyper


class Backend(torch_like.Backend):
    """pytorch_optimizer's classes."""

    name, library = "pytorch_optimizer", pytorch_optimizer
    lives = lives.LIVES
    rows = tuple(replace(row, numbers={"maximize": "maximize", **row.numbers}) for row in ROWS)
    fixed: ClassVar[Mapping[str, Fixed]] = {}

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer of the table on each of its paths; schedules, pieces, lives."""
        return (
            *super().capabilities(),
            *torch_schedulers.capabilities(schedules.ROWS),
            *training_row.capabilities(training.ROWS),
        )

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> list[float]:
        """What a schedule sets its optimizer's rate to."""
        return torch_schedulers.values(schedules.ROWS, capability, hyper, steps)

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """What agc, or an optimizer under the loss scaler, makes of the inputs."""
        return training_row.outputs(training.ROWS, capability, hyper, inputs)

    def stepped(self, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
        """A step, of LOMO and AdaLOMO inside the backward pass, of Lookahead around SGD."""
        if row.rule == "lookahead":
            make = getattr(pytorch_optimizer, row.optimizer)
            return [torch_lookahead.stepped(row, group, make) for group in groups]
        if "fused" not in row.paths:
            return super().stepped(row, groups)
        make = getattr(pytorch_optimizer, row.optimizer)
        return [
            [
                torch_backward.stepped(row, group.hyper, slot, build=make, counter="num_steps")
                for slot in group.slots
            ]
            for group in groups
        ]

    def parameter(self, array: Array) -> torch.Tensor:
        """Which a model can have."""
        return torch.nn.Parameter(to_tensor(array))

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """Of a model, where blocks are chosen by name, or of one group."""
        [entry] = entries
        group = {name: entry.pop(name) for name in ("params", "use_muon") if name in entry}
        subject = _model(row.module, group["params"]) if row.module else [group]
        optimizer = getattr(pytorch_optimizer, row.optimizer)(subject, **row.options, **entry)
        if row.optimizer == "ScalableShampoo":
            # Makes what the bridge then fills.
            optimizer.init_group(optimizer.param_groups[0])
        return optimizer

    def step(
        self, row: Row, optimizer: torch.optim.Optimizer, slots: Sequence[tuple[Hyper, Slot]]
    ) -> None:
        """Sophia and AdaHessian take estimates where they are due to refresh the Hessian.

        MADGRAD, SPAM and Stable-SPAM keep counts beside the tensors' states.
        """
        hyper, first = slots[0]
        if row.rule in COUNTS:
            COUNTS[row.rule](optimizer, hyper, int(first.state["t"]))
        if row.rule == "madgrad":
            optimizer.state["k"] = torch.tensor([first.state["t"]])
        estimated = row.rule in ("adahessian", "sophia")
        if estimated and first.state["t"] % hyper.period == 0:
            optimizer.step(hessian=[to_tensor(slot.inputs["estimate"]) for _, slot in slots])
        else:
            optimizer.step()


def _model(name: str, params: Sequence[torch.Tensor]) -> torch.nn.Module:
    model = torch.nn.Module()
    for j, param in enumerate(params):
        model.register_parameter(f"{name}{j}", param)
    return model
