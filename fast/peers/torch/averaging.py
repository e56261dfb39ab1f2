"""Averages of torch's iterates: SGD at the rate of the step, then swa_utils.AveragedModel.

Until averaging starts the model's average has averaged nothing, and every update copies.

A model has one number of averaged models: tensors of different counts are models of their own.
"""

import torch
from torch.optim import swa_utils

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Group, Stepped


def stepped(function: str, group: Group) -> list[Stepped]:
    """One step and one update by that function of swa_utils, of tensors of one count."""
    h, t = group.hyper, group.slots[0].state["t"]
    model = torch.nn.ParameterList(to_tensor(slot.param) for slot in group.slots)
    for param, slot in zip(model, group.slots, strict=True):
        param.grad = to_tensor(slot.grad)
    torch.optim.SGD(
        model.parameters(),
        lr=h.lr / (t + 1) ** h.power,
        weight_decay=h.weight_decay,
        maximize=h.maximize,
    ).step()
    make = getattr(swa_utils, function)
    kind = "multi_avg_fn" if "multi" in function else "avg_fn"
    average = make() if h.average == "uniform" else make(h.ema)
    averaged = swa_utils.AveragedModel(model, **{kind: average})
    averaged.n_averaged.fill_(max(0, t - h.start))
    for kept, slot in zip(averaged.module, group.slots, strict=True):
        kept.data = to_tensor(slot.state["average"])
    averaged.update_parameters(model)
    return [
        Stepped(from_tensor(param), {"t": t + 1, "average": from_tensor(kept)})
        for param, kept in zip(model, averaged.module, strict=True)
    ]
