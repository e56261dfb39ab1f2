"""States that pytorch-optimizer keeps in another form than the reference, carried across and back.

A bridge enters a state: it completes the library's state of one tensor, and its parameter group,
from a slot. It leaves with those of the reference's fields that the table does not map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from truestep.fast.peers.pytorch_optimizer.matrices import (
    enter_distributed_shampoo,
    enter_shampoo,
    enter_soap,
    leave_distributed_shampoo,
    leave_shampoo,
    leave_soap,
)
from truestep.fast.peers.pytorch_optimizer.projectors import (
    enter_apollo,
    enter_galore,
    leave_apollo,
    leave_galore,
)
from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Array, Slot

Named = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bridge:
    """enter(torch, group, state, hyper, slot) and leave, with the same arguments.

    group: the library's parameter group, state: its state of the tensor, both written by enter.
    """

    enter: Callable[[Any, Named, Named, Any, Slot], None]
    leave: Callable[[Any, Named, Named, Any, Slot], dict[str, Array]]


def number(x: Any, like: Array) -> Array:
    """A 0-d array of the format in which the field is stored."""
    return np.asarray(float(x), dtype=like.dtype)


def _nothing(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> dict[str, Array]:
    return {}


def _enter_adam_mini(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    state["dimension"] = torch.tensor(float(slot.param.size))
    state["reduced"] = False


def _enter_adan(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    # The library keeps the gradient's negative, and makes that of the first step itself.
    if slot.state["t"] == 0:
        state.clear()
    else:
        state["previous_grad"].neg_()


def _leave_adan(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> dict[str, Array]:
    return {"previous": np.asarray(-from_tensor(torch, state["previous_grad"]))}


def _enter_prodigy(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    d0, d = np.float32(hyper.d0), slot.state["d"]
    # A stored d0 is d0: the library asks whether the estimate still is its first value.
    group["d"] = float(hyper.d0 if d == d0 else d)
    group["d_max"] = float(slot.state["d_max"])
    group["d_numerator"] = torch.tensor([float(slot.state["r"])], dtype=torch.float32)


def _leave_prodigy(
    torch: Any, group: Named, state: Named, hyper: Any, slot: Slot
) -> dict[str, Array]:
    names = {"r": "d_numerator", "d": "d", "d_max": "d_max"}
    return {ours: number(group[theirs], slot.state[ours]) for ours, theirs in names.items()}


def _enter_sgd(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    # No buffer before the first step, nor without momentum.
    if slot.state["t"] == 0 or hyper.momentum == 0:
        state.clear()


def _enter_sm3(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    mu, shape = slot.state["mu"], slot.param.shape
    if len(shape) < 2:
        state["accumulator_0"] = to_tensor(torch, np.ascontiguousarray(mu).reshape(shape))
        return
    start = 0
    for axis, size in enumerate(shape):
        side = tuple(size if axis == b else 1 for b in range(len(shape)))
        part = np.array(mu[start : start + size]).reshape(side)
        state[f"accumulator_{axis}"] = to_tensor(torch, part)
        start += size


def _leave_sm3(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> dict[str, Array]:
    sides = [state[f"accumulator_{axis}"] for axis in range(max(1, slot.param.ndim))]
    return {"mu": np.concatenate([from_tensor(torch, side).reshape(-1) for side in sides])}


def _enter_swats(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    state["exp_avg2"] = torch.tensor([float(slot.state["average"])], dtype=torch.float32)
    state["momentum_buffer"] = to_tensor(torch, slot.state["b"])
    if slot.state["switched"]:
        group["phase"], group["lr"] = "sgd", float(slot.state["sgd_lr"])


def _leave_swats(
    torch: Any, group: Named, state: Named, hyper: Any, slot: Slot
) -> dict[str, Array]:
    switched = group["phase"] == "sgd"
    rate = group["lr"] if switched else slot.state["sgd_lr"]
    return {
        "average": number(state["exp_avg2"], slot.state["average"]),
        "b": from_tensor(torch, state["momentum_buffer"]),
        "sgd_lr": number(rate, slot.state["sgd_lr"]),
        "switched": number(switched, slot.state["switched"]),
    }


BRIDGES: Mapping[str, Bridge] = {
    "adam_mini": Bridge(_enter_adam_mini, _nothing),
    "adan": Bridge(_enter_adan, _leave_adan),
    "apollo": Bridge(enter_apollo, leave_apollo),
    "distributed_shampoo": Bridge(enter_distributed_shampoo, leave_distributed_shampoo),
    "galore": Bridge(enter_galore, leave_galore),
    "prodigy": Bridge(_enter_prodigy, _leave_prodigy),
    "sgd": Bridge(_enter_sgd, _nothing),
    "shampoo": Bridge(enter_shampoo, leave_shampoo),
    "sm3": Bridge(_enter_sm3, _leave_sm3),
    "soap": Bridge(enter_soap, leave_soap),
    "swats": Bridge(_enter_swats, _leave_swats),
}
