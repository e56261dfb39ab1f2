"""SparseAdam on sparse gradients of every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from truestep.fast.peers import torch_step
from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Group, Slot, Stepped


def stepped(torch: Any, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One step() of a fresh optimizer, its gradients sparse tensors of every row."""
    names = {"m": "exp_avg", "v": "exp_avg_sq"}

    def gradient(tensor: Any) -> Any:
        rows = torch.arange(len(tensor))[None]
        return torch.sparse_coo_tensor(rows, tensor, tensor.shape, check_invariants=True)

    def load(hyper: Any, slot: Slot) -> dict[str, Any]:
        tensors = {theirs: to_tensor(torch, slot.state[ours]) for ours, theirs in names.items()}
        return {**tensors, "step": slot.state["t"]} if slot.state["t"] else {}

    def read(state: Mapping[str, Any], hyper: Any, slot: Slot) -> dict[str, Any]:
        tensors = {ours: from_tensor(torch, state[theirs]) for ours, theirs in names.items()}
        return {**tensors, "t": state["step"]}

    def numbers(group: Group) -> dict[str, Any]:
        h = group.hyper
        return {"lr": h.lr, "betas": (h.beta1, h.beta2), "eps": h.eps, "maximize": h.maximize}

    steps = torch_step.Steps(torch.optim.SparseAdam, numbers, load, read, gradient)
    rows = [Group(group.hyper, [_rows(slot) for slot in group.slots]) for group in groups]
    results = torch_step.step(torch, rows, steps)
    return [
        [_as_it_was(new, slot.param.shape) for new, slot in zip(stepped, group.slots, strict=True)]
        for stepped, group in zip(results, groups, strict=True)
    ]


def _rows(slot: Slot) -> Slot:
    """A contiguous copy in rows: a number is a row of its own, as a table's single entry is.

    Where it is given a view of one element at an offset, torch writes beyond it: see
    torch_more_findings.py.
    """
    shape = slot.param.shape or (1,)
    state = {name: x if name == "t" else x.reshape(shape).copy() for name, x in slot.state.items()}
    return Slot(slot.param.reshape(shape).copy(), slot.grad.reshape(shape).copy(), state)


def _as_it_was(new: Stepped, shape: tuple[int, ...]) -> Stepped:
    state = {name: x if name == "t" else x.reshape(shape) for name, x in new.state.items()}
    return Stepped(new.param.reshape(shape), state)
