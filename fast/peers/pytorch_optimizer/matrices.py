"""States of pytorch-optimizer's optimizers of matrices."""

import numpy as np
import torch

from truestep.fast.peers.torch_like import Bridge, Named
from truestep.fast.peers.torch_matrices import joined, separated
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _first_step(hyper: Hyper, slot: Slot) -> Named:
    # The library counts from 1, where our 0 means the same.
    return {"start_preconditioning_step": max(1, hyper.start)}


def _enter_distributed_shampoo(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    """Into the preconditioner and the graft that the library has made of the tensor."""
    graft = state["graft"]
    graft.momentum = to_tensor(slot.state["c"])
    if hasattr(graft, "statistics"):
        graft.statistics = to_tensor(slot.state["v"])
    conditioner = state["pre_conditioner"]
    if not len(conditioner.statistics):
        return
    factors = separated(slot.state["factors"], slot.param.shape)
    # The library multiplies by the transposed root.
    roots = [x.t() for x in separated(slot.state["roots"], slot.param.shape)]
    # Those of one size are stacked.
    gathered = torch.stack if conditioner.is_same_shapes else list
    conditioner.statistics = gathered(factors)
    conditioner.pre_conditioners = gathered(roots)


def _leave_distributed_shampoo(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    """Its momentum is ours without an average before it: m is the gradient."""
    graft, conditioner = state["graft"], state["pre_conditioner"]
    roots = [x.t() for x in conditioner.pre_conditioners]
    out = {
        "m": np.asarray(-slot.grad if hyper.maximize else slot.grad.copy()),
        "c": from_tensor(graft.momentum),
        "factors": joined(list(conditioner.statistics), slot.state["factors"]),
        "roots": joined(roots, slot.state["roots"]),
    }
    if hasattr(graft, "statistics"):
        out["v"] = from_tensor(graft.statistics)
    return out


def _rotated_axes(hyper: Hyper, shape: tuple[int, ...]) -> list[bool]:
    """Of each axis, whether the library keeps a factor and a basis of it."""
    return [len(shape) > 1 and n <= hyper.max_dim for n in shape]


def _enter_soap(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    shape = slot.param.shape
    rotated = _rotated_axes(hyper, shape)
    sides = [n for n, kept in zip(shape, rotated, strict=True) if kept]
    for name, key in (("factors", "GG"), ("bases", "Q")):
        matrices = iter(separated(slot.state[name], sides))
        state[key] = [next(matrices) if kept else [] for kept in rotated]
    state["precondition_frequency"] = hyper.precondition_frequency
    state["shampoo_beta"] = hyper.shampoo_beta


def _leave_soap(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    """Factors and bases of the axes that have them."""
    return {
        name: joined([x for x in state[key] if len(x)], slot.state[name])
        for name, key in (("factors", "GG"), ("bases", "Q"))
    }


def _with_muon(hyper: Hyper, slot: Slot) -> Named:
    return {"use_muon": True}


def _ball(hyper: Hyper, slot: Slot) -> Named:
    """The library's momentum is what the new gradient weighs; columns are normalized in reverse."""
    normalized = hyper.normalized != (hyper.norm == "column")
    kinds = {"spectral": {"max_scale": hyper.max_scale, "normalize": normalized}}
    usual = {"normalize": normalized} if hyper.norm == "sign" else {"normalized": normalized}
    return {
        "momentum": 1 - hyper.momentum,
        "norm_kwargs": kinds.get(hyper.norm, usual),
        "scale": hyper.radius,
    }


def _enter_adamuon(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # The library keeps it flat.
    state["v"] = to_tensor(slot.state["v"].reshape(-1))


def _leave_adamuon(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    return {"v": from_tensor(state["v"]).reshape(slot.param.shape)}


ADAMUON = Bridge(_with_muon, _enter_adamuon, _leave_adamuon)
DISTRIBUTED_SHAMPOO = Bridge(_first_step, _enter_distributed_shampoo, _leave_distributed_shampoo)
MUON = Bridge(_with_muon)
SCION = Bridge(_ball)
SOAP = Bridge(enter=_enter_soap, leave=_leave_soap)
