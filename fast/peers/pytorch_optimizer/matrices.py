"""States of pytorch-optimizer's optimizers with a matrix for every axis: Shampoos and SOAP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Array, Slot

Named = dict[str, Any]


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


def enter_distributed_shampoo(
    torch: Any, group: Named, state: Named, hyper: Any, slot: Slot
) -> None:
    """Into the preconditioner and the graft that the library has made of the tensor."""
    graft = state["graft"]
    graft.momentum = to_tensor(torch, slot.state["c"])
    if hasattr(graft, "statistics"):
        graft.statistics = to_tensor(torch, slot.state["v"])
    conditioner = state["pre_conditioner"]
    if not len(conditioner.statistics):
        return
    factors = _separated(torch, slot.state["factors"], slot.param.shape)
    # The library multiplies by the transposed root.
    roots = [x.t() for x in _separated(torch, slot.state["roots"], slot.param.shape)]
    # Those of one size are stacked.
    joined = torch.stack if conditioner.is_same_shapes else list
    conditioner.statistics = joined(factors)
    conditioner.pre_conditioners = joined(roots)


def leave_distributed_shampoo(
    torch: Any, group: Named, state: Named, hyper: Any, slot: Slot
) -> dict[str, Array]:
    """Its momentum is ours without an average before it: m is the gradient."""
    graft, conditioner = state["graft"], state["pre_conditioner"]
    roots = [x.t() for x in conditioner.pre_conditioners]
    out = {
        "m": np.asarray(-slot.grad if hyper.maximize else slot.grad.copy()),
        "c": from_tensor(torch, graft.momentum),
        "factors": _joined(torch, list(conditioner.statistics), slot.state["factors"]),
        "roots": _joined(torch, roots, slot.state["roots"]),
    }
    if hasattr(graft, "statistics"):
        out["v"] = from_tensor(torch, graft.statistics)
    return out


def enter_shampoo(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    """Before the first step the library has no state."""
    if slot.state["t"] == 0:
        state.clear()
        return
    last = slot.param.ndim - 1
    for axis, x in enumerate(_separated(torch, slot.state["factors"], slot.param.shape)):
        state[f"pre_cond_{axis}"] = x
    # The library multiplies by the last root from the right, the reference from the left.
    for axis, x in enumerate(_separated(torch, slot.state["roots"], slot.param.shape)):
        state[f"inv_pre_cond_{axis}"] = x.t().contiguous() if axis == last else x


def leave_shampoo(
    torch: Any, group: Named, state: Named, hyper: Any, slot: Slot
) -> dict[str, Array]:
    """Factors and roots of all axes."""
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


def enter_soap(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> None:
    """Before the first step the library has no state."""
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


def leave_soap(torch: Any, group: Named, state: Named, hyper: Any, slot: Slot) -> dict[str, Array]:
    """Factors and bases of the axes that have them."""
    return {
        name: _joined(torch, [x for x in state[key] if len(x)], slot.state[name])
        for name, key in (("factors", "GG"), ("bases", "Q"))
    }
