"""pytorch-optimizer's DistributedMuon: every matrix is stepped by one rank, which sends it to all.

The j-th matrix of a list belongs to rank j modulo their number, its momentum too.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import distributed

from truestep.fast.peers.pytorch_optimizer import backend
from truestep.fast.peers.torch_like import Row
from truestep.fast.peers.torch_sharded.ranks import ranks
from truestep.fast.peers.torch_sharded.replicas import same
from truestep.fast.protocol import Capability, Group, Slot, Stepped
from truestep.reference.declared import Hyper

# The numbers of ranks by the variants' names.
SIZES = {f"distributed_{size}": size for size in (2, 4)}


class _OnOneRank(backend.Backend):
    """The optimizer of one rank."""

    rows = tuple(
        replace(
            row,
            optimizer="DistributedMuon",
            paths={name: {} for name in SIZES},
            # Of one list the ranks exchange matrices of one shape alone, see the findings.
            key=lambda hyper, slot: slot.param.shape,
            given="copies",
            level="standard",
        )
        for row in backend.Backend.rows
        if row.optimizer == "Muon" and not row.prefix
    )

    def step(
        self, row: Row, optimizer: torch.optim.Optimizer, slots: Sequence[tuple[Hyper, Slot]]
    ) -> None:
        """The step, after which every rank tells the momenta that are its own."""
        optimizer.step()
        for entry in optimizer.param_groups:
            for j, param in enumerate(entry["params"]):
                momentum = optimizer.state[param]["momentum_buffer"]
                distributed.broadcast(momentum, src=j % distributed.get_world_size())


@functools.cache
def _backend() -> _OnOneRank:
    return _OnOneRank()


def _of_rank(capability: Capability, groups: Sequence[Group]) -> list[list[Stepped]]:
    return _backend().optimizer_step(capability, groups)


def capabilities() -> tuple[Capability, ...]:
    """The optimizer over each number of ranks."""
    return tuple(c for c in _backend().capabilities() if c.variant in SIZES)


def stepped(capability: Capability, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One step by all ranks, after which they have the same, bit for bit."""
    return same(ranks(SIZES[capability.variant]).call(_of_rank, capability, groups))
