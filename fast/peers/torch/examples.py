"""The rules of one example in torch: SGD on a loss of the score, its gradient by autograd.

mse_loss makes it LMS, twice as far as on half the square; margin_ranking_loss without a margin
makes it the perceptron, whose ties clamp_min lets through.
"""

import torch
from torch.nn.functional import margin_ranking_loss, mse_loss

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Group, Slot, Stepped
from truestep.reference.declared import Hyper


def stepped(loss: str, group: Group) -> list[Stepped]:
    """One step of torch.optim.SGD on every slot's example."""
    return [_step(loss, group.hyper, slot) for slot in group.slots]


def _step(loss: str, hyper: Hyper, slot: Slot) -> Stepped:
    param = to_tensor(slot.param).requires_grad_()
    optimizer = torch.optim.SGD([param], lr=float(hyper.lr))
    score = (param * to_tensor(slot.grad)).sum()
    response = to_tensor(slot.inputs["response"])
    if loss == "mse_loss":
        value = mse_loss(score, response, reduction="sum")
    else:
        zero = torch.zeros_like(score)
        value = margin_ranking_loss(score, zero, response, margin=0.0, reduction="sum")
    value.backward()
    optimizer.step()
    return Stepped(from_tensor(param.detach()), {"t": slot.state["t"] + 1})
