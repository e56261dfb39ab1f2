"""Optimizers that make their step inside backward(): LOMO and AdaLomo, of whichever library.

They are built of a model, here of one parameter, and handed a loss whose gradient is the given one.
"""

from collections.abc import Callable

import torch

from truestep.fast.peers.torch_like import Row, enter, left, numbers
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Slot, Stepped
from truestep.reference.declared import Hyper

_NAME = "weight"


def stepped(
    row: Row, hyper: Hyper, slot: Slot, *, build: Callable[..., torch.optim.Optimizer], counter: str
) -> Stepped:
    """The step of one tensor; the library keeps its state in dictionaries by parameters' names.

    build(model, **arguments): the optimizer. counter: its attribute with the number of steps made.
    """
    param = torch.nn.Parameter(to_tensor(slot.param))
    model = torch.nn.Module()
    model.register_parameter(_NAME, param)
    optimizer = build(model, **numbers(row, hyper), **row.options)
    setattr(optimizer, counter, slot.state["t"])
    state: dict[str, torch.Tensor] = {}
    enter(row, slot, state)
    for theirs, tensor in state.items():
        getattr(optimizer, theirs)[_NAME] = tensor
    loss = (param * to_tensor(slot.grad)).sum()
    if "clip_grad_norm" in row.numbers.values():
        optimizer.grad_norm(loss)
    optimizer.fused_backward(loss, float(hyper.lr))
    state = {theirs: getattr(optimizer, theirs)[_NAME] for theirs in state}
    fields = {**left(row, slot, state), "t": slot.state["t"] + 1}
    return Stepped(from_tensor(param), fields)
