"""The rules of one example in torch: SGD on a loss of the score, its gradient by autograd.

mse_loss makes it LMS, twice as far as on half the square; margin_ranking_loss without a margin
makes it the perceptron, whose ties clamp_min lets through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Group, Slot, Stepped

# loss(torch, score, response)
Loss = Callable[[Any, Any, Any], Any]


def squared_error(torch: Any, score: Any, response: Any) -> Any:
    """(response - score)^2."""
    return torch.nn.functional.mse_loss(score, response, reduction="sum")


def perceptron_loss(torch: Any, score: Any, response: Any) -> Any:
    """max(0, -response score)."""
    ranking: Any = torch.nn.functional.margin_ranking_loss
    return ranking(score, torch.zeros_like(score), response, margin=0.0, reduction="sum")


def stepped(torch: Any, loss: Loss, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One step of torch.optim.SGD on every slot's example."""
    return [[_step(torch, loss, group.hyper, slot) for slot in group.slots] for group in groups]


def _step(torch: Any, loss: Loss, hyper: Any, slot: Slot) -> Stepped:
    param = to_tensor(torch, slot.param).requires_grad_()
    optimizer = torch.optim.SGD([param], lr=float(hyper.lr))
    score = (param * to_tensor(torch, slot.grad)).sum()
    loss(torch, score, to_tensor(torch, slot.inputs["response"])).backward()
    optimizer.step()
    return Stepped(from_tensor(torch, param.detach()), {"t": slot.state["t"] + 1})
