"""States of optimizers with a matrix for every axis, which the reference joins in one array."""

from collections.abc import Sequence

import numpy as np
import torch

from truestep.fast.peers.torch_like import Bridge, Named
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Slot
from truestep.reference.declared import Hyper


def separated(flat: Array, sides: Sequence[int]) -> list[torch.Tensor]:
    """The square matrices with these sides, whose elements are joined in flat."""
    out, start = [], 0
    for n in sides:
        out.append(to_tensor(np.array(flat[start : start + n * n]).reshape(n, n)))
        start += n * n
    return out


def joined(matrices: Sequence[torch.Tensor], like: Array) -> Array:
    """The elements of the matrices, one matrix after the other."""
    parts = [from_tensor(x.contiguous()).reshape(-1) for x in matrices]
    return np.concatenate([np.zeros(0, like.dtype), *parts])


def shampoo(name: str) -> Bridge:
    """Factors and roots of all axes, which a library keeps under this name and a number.

    It multiplies by the last root from the right, the reference from the left.
    """

    def enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
        last = slot.param.ndim - 1
        for axis, x in enumerate(separated(slot.state["factors"], slot.param.shape)):
            state[f"{name}_{axis}"] = x
        for axis, x in enumerate(separated(slot.state["roots"], slot.param.shape)):
            state[f"inv_{name}_{axis}"] = x.t().contiguous() if axis == last else x

    def leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
        factors = [state[f"{name}_{axis}"] for axis in range(slot.param.ndim)]
        roots = [state[f"inv_{name}_{axis}"] for axis in range(slot.param.ndim)]
        roots[-1:] = [x.t() for x in roots[-1:]]
        return {
            "factors": joined(factors, slot.state["factors"]),
            "roots": joined(roots, slot.state["roots"]),
        }

    return Bridge(enter=enter, leave=leave)
