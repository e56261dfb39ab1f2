"""PyTorch over ranks: processes that gloo connects, with parameters and states in parts.

rows.py says which optimizers, ways.py how they are laid out, training.py what else there is; with
pytorch-optimizer at hand its distributed Muon too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import ClassVar

import torch

from truestep.fast.peers import torch_like, training_row
from truestep.fast.peers.torch_sharded import checkpoints, training, ways
from truestep.fast.peers.torch_sharded.ranks import available, ranks
from truestep.fast.peers.torch_sharded.replicas import same
from truestep.fast.peers.torch_sharded.rows import ROWS, parted
from truestep.fast.protocol import (
    BackendUnavailable,
    Capability,
    Fixed,
    Group,
    Inputs,
    Outputs,
    Stepped,
)
from truestep.reference.declared import Hyper

distributed_muon: ModuleType | None = (
    import_module("truestep.fast.peers.torch_sharded.distributed_muon")
    if find_spec("pytorch_optimizer")
    else None
)


class Backend(torch_like.Backend):
    """torch.optim, and what comes before it, over several processes."""

    name, library, rows = "torch_sharded", torch.optim, ROWS
    fixed: ClassVar[Mapping[str, Fixed]] = {}

    def __init__(self) -> None:
        if not available():
            raise BackendUnavailable("torch has no gloo here, or the system does not fork")
        super().__init__()

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer in every way, and the pieces of the training loop."""
        all_of_them = (
            *super().capabilities(),
            *training_row.capabilities(training.ROWS),
            *(distributed_muon.capabilities() if distributed_muon else ()),
        )
        # A step is as many messages as there are tensors, and more.
        return tuple(replace(capability, theorems=False) for capability in all_of_them)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step by all ranks, after which they have the same, bit for bit."""
        if distributed_muon and capability.variant in distributed_muon.SIZES:
            found: list[list[Stepped]] = distributed_muon.stepped(capability, groups)
            return found
        way, size = parted(capability.variant)
        if way == "checkpoint":
            return same(checkpoints.stepped(size, capability, groups))
        return same(ranks(size).call(ways.stepped, way, capability, groups))

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """What the ranks make of the inputs."""
        return training_row.outputs(training.ROWS, capability, hyper, inputs)
