"""Lookahead around torch's SGD, as two libraries wrap an optimizer of torch's kind."""

from collections.abc import Callable

import torch

from truestep.fast.peers.torch_like import LISTS, Row, enter, left
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Group, Slot, Stepped
from truestep.reference.declared import Hyper


def _count(hyper: Hyper, slot: Slot) -> int:
    return int(slot.state["t"])


# A group has one counter. Without momentum SGD has no buffer.
LOOKAHEAD = Row(
    "lookahead",
    "Lookahead",
    paths=LISTS,
    fixed={"momentum": (0.9, 0.5, 0.99)},
    counter="",
    key=_count,
    apart=True,
)


def stepped(row: Row, group: Group, made: Callable[..., torch.optim.Optimizer]) -> list[Stepped]:
    """One step of tensors of one count."""
    if not group.slots:
        return []
    hyper, slots = group.hyper, group.slots
    params = [torch.nn.Parameter(to_tensor(slot.param)) for slot in slots]
    for param, slot in zip(params, slots, strict=True):
        param.grad = to_tensor(slot.grad)
    options = dict(row.options)
    numbers = {name: getattr(hyper, name) for name in ("momentum", "weight_decay", "maximize")}
    sgd = torch.optim.SGD(params, lr=hyper.lr, foreach=options.pop("foreach"), **numbers)
    optimizer = made(sgd, k=hyper.k, alpha=hyper.alpha, **options)
    sgd.param_groups[0]["counter"] = _count(hyper, slots[0]) % hyper.k
    for param, slot in zip(params, slots, strict=True):
        sgd.state[param]["momentum_buffer"] = to_tensor(slot.state["b"])
        if not row.fresh(hyper, slot):
            enter(row, slot, optimizer.state[param])
    optimizer.step()
    return [
        Stepped(
            from_tensor(param),
            {
                **left(row, slot, optimizer.state[param]),
                "b": from_tensor(sgd.state[param]["momentum_buffer"]),
                "t": slot.state["t"] + 1,
            },
        )
        for param, slot in zip(params, slots, strict=True)
    ]
