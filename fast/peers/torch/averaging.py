"""Averages of torch's iterates: SGD at the rate of the step, then swa_utils.AveragedModel.

Until averaging starts the model's average has averaged nothing, and every update copies.

A model has one number of averaged models: tensors of different counts are models of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from truestep.fast.peers import torch_step
from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Group, Stepped


def stepped(torch: Any, groups: Sequence[Group], *, function: str) -> list[list[Stepped]]:
    """One step and one update by that function of swa_utils, for each group and count."""
    parts, places = torch_step.parted(groups, lambda _, slot: slot.state["t"])
    return torch_step.rejoined([_step(torch, part, function) for part in parts], places)


def _step(torch: Any, group: Group, function: str) -> list[Stepped]:
    h, t = group.hyper, group.slots[0].state["t"]
    model = torch.nn.ParameterList(to_tensor(torch, slot.param) for slot in group.slots)
    for param, slot in zip(model, group.slots, strict=True):
        param.grad = to_tensor(torch, slot.grad)
    torch.optim.SGD(
        model.parameters(),
        lr=h.lr / (t + 1) ** h.power,
        weight_decay=h.weight_decay,
        maximize=h.maximize,
    ).step()
    averaged = torch.optim.swa_utils.AveragedModel(model, **_average(torch, h, function))
    averaged.n_averaged.fill_(max(0, t - h.start))
    for average, slot in zip(averaged.module, group.slots, strict=True):
        average.data = to_tensor(torch, slot.state["average"])
    averaged.update_parameters(model)
    return [
        Stepped(
            from_tensor(torch, param),
            {"t": t + 1, "average": from_tensor(torch, average)},
        )
        for param, average in zip(model, averaged.module, strict=True)
    ]


def _average(torch: Any, h: Any, function: str) -> dict[str, Any]:
    make = getattr(torch.optim.swa_utils, function)
    kind = "multi_avg_fn" if "multi" in function else "avg_fn"
    return {kind: make() if h.average == "uniform" else make(h.ema)}
