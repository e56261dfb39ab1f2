"""States that pytorch-optimizer keeps in another form than the reference, carried across and back.

A bridge enters a state: it completes the library's state of one tensor, and its parameter group,
from a slot. It leaves with those of the reference's fields that the table does not map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Array, Slot

Named = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bridge:
    """enter(torch, group, state, hyper, slot) and leave(torch, group, state, slot).

    group: the library's parameter group, state: its state of the tensor, both written by enter.
    """

    enter: Callable[[Any, Named, Named, Any, Slot], None]
    leave: Callable[[Any, Named, Named, Slot], dict[str, Array]]


def number(x: Any, like: Array) -> Array:
    """A 0-d array of the format in which the field is stored."""
    return np.asarray(float(x), dtype=like.dtype)


def _nothing(torch: Any, group: Named, state: Named, slot: Slot) -> dict[str, Array]:
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


def _leave_adan(torch: Any, group: Named, state: Named, slot: Slot) -> dict[str, Array]:
    return {"previous": np.asarray(-from_tensor(torch, state["previous_grad"]))}


def _enter_prodigy(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    d0, d = np.float32(hyper.d0), slot.state["d"]
    # A stored d0 is d0: the library asks whether the estimate still is its first value.
    group["d"] = float(hyper.d0 if d == d0 else d)
    group["d_max"] = float(slot.state["d_max"])
    group["d_numerator"] = torch.tensor([float(slot.state["r"])], dtype=torch.float32)


def _leave_prodigy(torch: Any, group: Named, state: Named, slot: Slot) -> dict[str, Array]:
    names = {"r": "d_numerator", "d": "d", "d_max": "d_max"}
    return {ours: number(group[theirs], slot.state[ours]) for ours, theirs in names.items()}


def _enter_sgd(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    # No buffer before the first step, nor without momentum.
    if slot.state["t"] == 0 or hyper.momentum == 0:
        state.clear()


def _separated(torch: Any, flat: Array, sides: Sequence[int]) -> list[Any]:
    """The square matrices with these sides, whose elements are joined in flat."""
    out, start = [], 0
    for n in sides:
        out.append(to_tensor(torch, np.array(flat[start : start + n * n]).reshape(n, n)))
        start += n * n
    return out


def _joined(torch: Any, matrices: Sequence[Any], like: Array) -> Array:
    parts = [from_tensor(torch, x.contiguous()).reshape(-1) for x in matrices]
    return np.concatenate([np.zeros(0, like.dtype), *parts])


def _enter_shampoo(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    if slot.state["t"] == 0:
        state.clear()
        return
    last = slot.param.ndim - 1
    for axis, x in enumerate(_separated(torch, slot.state["factors"], slot.param.shape)):
        state[f"pre_cond_{axis}"] = x
    # The library multiplies by the last root from the right, the reference from the left.
    for axis, x in enumerate(_separated(torch, slot.state["roots"], slot.param.shape)):
        state[f"inv_pre_cond_{axis}"] = x.t().contiguous() if axis == last else x


def _leave_shampoo(torch: Any, group: Named, state: Named, slot: Slot) -> dict[str, Array]:
    factors = [state[f"pre_cond_{axis}"] for axis in range(slot.param.ndim)]
    roots = [state[f"inv_pre_cond_{axis}"] for axis in range(slot.param.ndim)]
    roots[-1:] = [x.t() for x in roots[-1:]]
    return {
        "factors": _joined(torch, factors, slot.state["factors"]),
        "roots": _joined(torch, roots, slot.state["roots"]),
    }


def _rotated_axes(hyper: Any, shape: tuple[int, ...]) -> list[bool]:
    """Of each axis, whether the library keeps a factor and a basis of it."""
    return [len(shape) > 1 and n <= hyper.max_dim for n in shape]


def _enter_soap(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    if slot.state["t"] == 0:
        state.clear()
        return
    shape = slot.param.shape
    rotated = _rotated_axes(hyper, shape)
    sides = [n for n, kept in zip(shape, rotated, strict=True) if kept]
    for name, key in (("factors", "GG"), ("bases", "Q")):
        matrices = iter(_separated(torch, slot.state[name], sides))
        state[key] = [next(matrices) if kept else [] for kept in rotated]
    state["precondition_frequency"] = hyper.precondition_frequency
    state["shampoo_beta"] = hyper.shampoo_beta


def _leave_soap(torch: Any, group: Named, state: Named, slot: Slot) -> dict[str, Array]:
    return {
        name: _joined(torch, [x for x in state[key] if len(x)], slot.state[name])
        for name, key in (("factors", "GG"), ("bases", "Q"))
    }


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


def _leave_sm3(torch: Any, group: Named, state: Named, slot: Slot) -> dict[str, Array]:
    sides = [state[f"accumulator_{axis}"] for axis in range(max(1, slot.param.ndim))]
    return {"mu": np.concatenate([from_tensor(torch, side).reshape(-1) for side in sides])}


def _enter_swats(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    state["exp_avg2"] = torch.tensor([float(slot.state["average"])], dtype=torch.float32)
    state["momentum_buffer"] = to_tensor(torch, slot.state["b"])
    if slot.state["switched"]:
        group["phase"], group["lr"] = "sgd", float(slot.state["sgd_lr"])


def _leave_swats(torch: Any, group: Named, state: Named, slot: Slot) -> dict[str, Array]:
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
    "prodigy": Bridge(_enter_prodigy, _leave_prodigy),
    "sgd": Bridge(_enter_sgd, _nothing),
    "shampoo": Bridge(_enter_shampoo, _leave_shampoo),
    "sm3": Bridge(_enter_sm3, _leave_sm3),
    "soap": Bridge(_enter_soap, _leave_soap),
    "swats": Bridge(_enter_swats, _leave_swats),
}
