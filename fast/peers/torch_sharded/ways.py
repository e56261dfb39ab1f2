"""The ways in which torch lays parameters, gradients and states over ranks: what each rank runs.

All ranks are given the same whole arrays and give whole arrays back. Gradients are handed to the
optimizer where they lie after the ranks' own have been averaged; see averaging.py for that.

fully_shard: every group is a module under FSDP2, in parts along the first axis.
dtensor: parameters are DTensors, in parts along the last axis.
zero: parameters are whole on all ranks, states belong to one of them: ZeroRedundancyOptimizer.
"""

import functools
import warnings
from collections.abc import Sequence

import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import Named, Row
from truestep.fast.peers.torch_sharded.rows import ROWS
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, Group, Slot, Stepped
from truestep.reference.declared import Hyper

with warnings.catch_warnings():
    # Of its own torch.jit.script, as it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch.distributed.optim import ZeroRedundancyOptimizer


@functools.cache
def mesh() -> DeviceMesh:
    """All ranks in a row."""
    return init_device_mesh("cpu", (distributed.get_world_size(),))


class Sharded(torch_like.Backend):
    """torch.optim on one rank, with parameters in parts."""

    name, library, rows = "torch_sharded", torch.optim, ROWS

    def count(self, t: int) -> torch.Tensor:
        """The number of steps made as torch keeps it."""
        return torch.scalar_tensor(t, dtype=torch.float32)

    def array(self, param: torch.Tensor) -> Array:
        """The whole tensor, put together of all parts."""
        return from_tensor(param.full_tensor() if isinstance(param, DTensor) else param)

    def step(
        self, row: Row, optimizer: torch.optim.Optimizer, slots: Sequence[tuple[Hyper, Slot]]
    ) -> None:
        """The step, on states in parts as their parameters are; they are whole before and after."""
        for param, state in optimizer.state.items():
            for name, x in state.items():
                if x.shape == param.shape:
                    state[name] = like(param, x)
        self.made(optimizer)
        for state in optimizer.state.values():
            for name, x in state.items():
                if isinstance(x, DTensor):
                    state[name] = x.full_tensor()

    def made(self, optimizer: torch.optim.Optimizer) -> None:
        """What happens to parameters and states in parts."""
        optimizer.step()


def like(param: DTensor, x: torch.Tensor) -> DTensor:
    """The tensor in parts as the parameter is, each rank's cut from its own copy."""
    return distribute_tensor(x, param.device_mesh, param.placements, src_data_rank=None)


def fully_sharded(tensors: Sequence[torch.Tensor]) -> list[DTensor]:
    """The parameters of a module under FSDP2."""
    model = torch.nn.Module()
    for i, tensor in enumerate(tensors):
        model.register_parameter(f"p{i}", torch.nn.Parameter(tensor))
    fully_shard(model, mesh=mesh())
    return list(model.parameters())


class FullyShard(Sharded):
    """Every group a module under FSDP2."""

    def parameters(self, row: Row, group: Group) -> list[torch.Tensor]:
        """The parameters of the sharded module."""
        params = fully_sharded([to_tensor(slot.param) for slot in group.slots])
        for param, slot in zip(params, group.slots, strict=True):
            param.grad = like(param, to_tensor(slot.grad))
        return params


class OfDTensors(Sharded):
    """Parameters in parts along their last axes."""

    def parameters(self, row: Row, group: Group) -> list[torch.Tensor]:
        """DTensors."""
        params = []
        for slot in group.slots:
            whole, axis = to_tensor(slot.param), slot.param.ndim - 1
            param = distribute_tensor(whole, mesh(), [Shard(axis)], src_data_rank=None)
            param.grad = like(param, to_tensor(slot.grad))
            params.append(param)
        return params


class Zero(Sharded):
    """ZeroRedundancyOptimizer: every state on one rank, every parameter sent by that one."""

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """The wrapped optimizer."""
        made = getattr(self.library, row.optimizer)
        return ZeroRedundancyOptimizer(entries, made, **{"lr": 1.0, **row.options})

    def step(
        self, row: Row, optimizer: torch.optim.Optimizer, slots: Sequence[tuple[Hyper, Slot]]
    ) -> None:
        """The step, between the loading of whole states and their consolidation on rank 0."""
        assert isinstance(optimizer, ZeroRedundancyOptimizer)
        optimizer.load_state_dict(torch.optim.Optimizer.state_dict(optimizer))
        optimizer.step()
        optimizer.consolidate_state_dict(to=0)
        if distributed.get_rank() == 0:
            states = optimizer.state_dict()["state"]
            params = (p for entry in optimizer.param_groups for p in entry["params"])
            for i, param in enumerate(params):
                optimizer.state[param] = states.get(i, {})

    def read(self, row: Row, hyper: Hyper, slot: Slot, entry: Named, state: Named) -> Named:
        """The state, on rank 0 alone."""
        return super().read(row, hyper, slot, entry, state) if distributed.get_rank() == 0 else {}


WAYS: dict[str, type[Sharded]] = {"dtensor": OfDTensors, "fully_shard": FullyShard, "zero": Zero}


@functools.cache
def _backend(way: str) -> Sharded:
    return WAYS[way]()


def stepped(way: str, capability: Capability, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One step on all slots: what this rank has in the end."""
    return _backend(way).optimizer_step(capability, groups)
